/** Where and why a text is not JSON. Offsets count UTF-16 units, lines and columns from 1. */
export interface JsonFlaw {
  offset: number;
  line: number;
  column: number;
  expected: string;
}

/**
 * Finds the first flaw of a text that `JSON.parse` refused. The parser's own message is of no use here: it leaves the
 * place out for some flaws, and quotes the body, which may hold what must never be logged or shown.
 */
export function findJsonFlaw(text: string): JsonFlaw | undefined {
  let at = 0;
  const flaw = (expected: string, offset = at): JsonFlaw => {
    const before = text.slice(0, offset);
    const lastBreak = before.lastIndexOf('\n');
    return { offset, line: before.split('\n').length, column: offset - lastBreak, expected };
  };
  const skip = () => {
    while (at < text.length && ' \t\n\r'.includes(text.charAt(at))) at += 1;
  };
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (!found) return false;
    at = pattern.lastIndex;
    return true;
  };
  // A loop and no pattern: a text may be as long as a body, and a pattern would keep a place for each of its letters.
  const takeString = (): boolean => {
    if (text.charAt(at) !== '"') return false;
    for (let here = at + 1; here < text.length; here += 1) {
      const letter = text.charAt(here);
      if (letter === '"') {
        at = here + 1;
        return true;
      }
      if (letter < ' ') {
        at = here;
        return false;
      }
      if (letter !== '\\') continue;
      const escaped = /^(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(text.slice(here + 1, here + 6))?.[0];
      if (escaped === undefined) {
        at = here;
        return false;
      }
      here += escaped.length;
    }
    at = text.length;
    return false;
  };
  const scalar = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;
  const open: ('{' | '[')[] = [];
  // What may come next: a value, a name, or what follows a finished value.
  let next: 'value' | 'value or ]' | 'name' | 'name or }' | 'end' = 'value';
  for (;;) {
    skip();
    const letter = text.charAt(at);
    if (next === 'end') {
      const innermost = open.at(-1);
      if (innermost === undefined) return at < text.length ? flaw('the end') : undefined;
      if (letter === ',') next = innermost === '{' ? 'name' : 'value';
      else if (letter === (innermost === '{' ? '}' : ']')) open.pop();
      else return flaw(innermost === '{' ? '`,` or `}`' : '`,` or `]`');
      at += 1;
    } else if (next === 'name' || next === 'name or }') {
      if (letter === '}' && next === 'name or }') {
        open.pop();
        at += 1;
        next = 'end';
        continue;
      }
      if (!takeString())
        return flaw(letter === '"' ? 'a text with its quotes and escapes in order' : 'a name in double quotes');
      skip();
      if (text.charAt(at) !== ':') return flaw('`:`');
      at += 1;
      next = 'value';
    } else if (letter === '{' || letter === '[') {
      open.push(letter);
      at += 1;
      next = letter === '{' ? 'name or }' : 'value or ]';
    } else if (letter === ']' && next === 'value or ]') {
      open.pop();
      at += 1;
      next = 'end';
    } else if (takeString() || take(scalar)) {
      next = 'end';
    } else {
      return flaw(letter === '"' ? 'a text with its quotes and escapes in order' : 'a value');
    }
  }
}

export interface UnfitValue {
  field: string;
  rule: string;
  remedy: string;
}

/**
 * The first thing in a parsed body that JSON allows and this server cannot keep unchanged: nesting beyond `depthMax`, an
 * array of more than `itemsMax`,
 * a name that would reach a prototype, a NUL or half a character, a number beyond what a double holds.
 */
export function findUnfit(
  root: unknown,
  depthMax: number,
  itemsMax = Number.POSITIVE_INFINITY,
): UnfitValue | undefined {
  // A list of its own instead of recursion: the depth is the caller's choice.
  const left: { value: unknown; field: string; depth: number }[] = [{ value: root, field: '', depth: 0 }];
  for (let item = left.pop(); item !== undefined; item = left.pop()) {
    const { value, field, depth } = item;
    const here = field || '(the whole)';
    if (typeof value === 'string') {
      if (isUnfitText(value)) {
        return { field: here, rule: 'holds a NUL or half of a surrogate pair', remedy: 'Leave that character out.' };
      }
    } else if (typeof value === 'number') {
      if (!Number.isFinite(value)) {
        return { field: here, rule: 'is a number too large to keep', remedy: 'Send a smaller one, or a text.' };
      }
    } else if (typeof value === 'object' && value !== null) {
      if (depth >= depthMax) {
        return {
          field: shortened(here),
          rule: `is nested deeper than ${depthMax} levels`,
          remedy: 'Flatten the body.',
        };
      }
      if (Array.isArray(value) && value.length > itemsMax) {
        return {
          field: shortened(here),
          rule: `has more than ${itemsMax} items`,
          remedy: 'Send them in several requests.',
        };
      }
      const entries: [string, unknown][] = Array.isArray(value)
        ? value.map((inner, index) => [`${field}[${index}]`, inner])
        : Object.entries(value);
      for (const [name, inner] of entries) {
        if (Array.isArray(value)) {
          left.push({ value: inner, field: name, depth: depth + 1 });
          continue;
        }
        if (name === '__proto__' || (name === 'constructor' && typeof inner === 'object' && inner !== null)) {
          return {
            field: here,
            rule: 'holds an attribute whose name is reserved',
            remedy: 'Give that attribute another name.',
          };
        }
        if (isUnfitText(name)) {
          return {
            field: here,
            rule: 'holds a name with a NUL or half of a surrogate pair',
            remedy: 'Correct the name.',
          };
        }
        left.push({ value: inner, field: field === '' ? name : `${field}.${name}`, depth: depth + 1 });
      }
    }
  }
  return undefined;
}

function isUnfitText(text: string): boolean {
  // Nearly every text is without either half of a pair, and the first pattern is quick to say so.
  return text.includes('\u0000') || (/[\uD800-\uDFFF]/.test(text) && /\p{Surrogate}/u.test(text));
}

function shortened(field: string): string {
  return field.length > 200 ? `${field.slice(0, 200)}…` : field;
}
