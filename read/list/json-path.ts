import { type Condition, isNumber, type Literal, type Step, type Test } from './condition.ts';
import { InvalidQuery, UnsupportedQuery } from './query-error.ts';
import { translatePattern } from './regular-expression.ts';

export interface JsonPathLimits {
  /** How deep parentheses, negations and filters lie in one another. */
  nestingMax: number;
  /** Steps in one path. */
  depthMax: number;
  /** Paths and comparisons in the whole expression. */
  termsMax: number;
  /** Characters of a regular expression. */
  patternLengthMax: number;
}

const parameter = 'filter';
const example = "Send for example filter=$[?(@.state=='active' && @.note[?(@.author=='Ann')])].";

/** A path as it is read: steps, and filters between them. */
type Segment = Step | { kind: 'filter'; condition: Condition };
type Operand = { kind: 'path'; segments: Segment[] } | { kind: 'literal'; literal: Literal } | Pattern;
type Pattern = { kind: 'pattern'; pattern: string; ignoreCase: boolean };

const comparisons = ['==', '!=', '>=', '<=', '>', '<', '=~'] as const;
type Comparison = (typeof comparisons)[number];
const mirrored: Record<Comparison, Comparison> = {
  '==': '==',
  '!=': '!=',
  '>': '<',
  '>=': '<=',
  '<': '>',
  '<=': '>=',
  '=~': '=~',
};

/**
 * Reads the JSONPath of `filter=`. A resource is selected when the path finds something in it: `$[?(…)]` asks the resource
 * itself, `note[?(…)]` or `$.note[?(…)]` whether one of its notes passes. Understood are members, `['…']`, `[*]`, `[0]`,
 * filters within filters, `==`, `!=`, `<`, `<=`, `>`, `>=`, `=~ /…/i`, `in [ … ]`, `&&`, `||`, `!`, parentheses, existence.
 * A comparison holds when a value of the same type that the path leads to satisfies it; `!=` is the opposite of `==`.
 * @throws InvalidQuery for what is not JSONPath, UnsupportedQuery for the rest of JSONPath.
 */
export function parseJsonPath(source: string, limits: JsonPathLimits): Condition {
  let position = 0;
  let terms = 0;

  const fail = (rule: string): InvalidQuery =>
    new InvalidQuery(parameter, `${rule} at character ${position + 1}.`, example);
  const unsupported = (what: string): UnsupportedQuery =>
    new UnsupportedQuery(parameter, `${what} is not supported (character ${position + 1}).`, example);
  const skipSpace = (): void => {
    while (/\s/.test(source.charAt(position))) position += 1;
  };
  const at = (text: string): boolean => source.startsWith(text, position);
  const take = (text: string): boolean => {
    skipSpace();
    if (!at(text)) return false;
    position += text.length;
    return true;
  };
  const expect = (text: string): void => {
    if (!take(text)) throw fail(`'${text}' is expected`);
  };
  const countTerm = (): void => {
    terms += 1;
    if (terms > limits.termsMax) throw fail(`More than ${limits.termsMax} terms are written`);
  };

  /**
   * `root` is true as long as `@` is the resource itself, so that `$` can mean it too; `bare` as long as no filter was
   * entered, so that a path may go without either, as in note[?(@.author=='Ann')].
   */
  interface Scope {
    depth: number;
    root: boolean;
    bare: boolean;
  }
  const deeper = (scope: Scope): Scope => {
    if (scope.depth >= limits.nestingMax) throw fail(`More than ${limits.nestingMax} levels lie in one another`);
    return { ...scope, depth: scope.depth + 1 };
  };

  function disjunction(scope: Scope): Condition {
    const conditions = [conjunction(scope)];
    while (take('||')) conditions.push(conjunction(scope));
    return oneOrMore('any', conditions);
  }

  function conjunction(scope: Scope): Condition {
    const conditions = [unary(scope)];
    while (take('&&')) conditions.push(unary(scope));
    return oneOrMore('all', conditions);
  }

  function unary(scope: Scope): Condition {
    skipSpace();
    if (at('!') && !at('!=')) {
      position += 1;
      return { kind: 'not', condition: unary(deeper(scope)) };
    }
    if (take('(')) {
      const inner = disjunction(deeper(scope));
      expect(')');
      return inner;
    }
    return comparison(scope);
  }

  function comparison(scope: Scope): Condition {
    countTerm();
    const left = operand(scope);
    skipSpace();
    const operator = comparisons.find(at);
    if (operator === undefined) return withoutOperator(left, scope);
    position += operator.length;
    if (at('=')) throw fail("The operator is written '==', '!=', '<=' or '>=': '=' is not expected");
    const right = operand(scope);
    if (left.kind === 'path') {
      if (right.kind === 'path') throw unsupported('Comparing one path with another');
      return compare(left.segments, operator, right);
    }
    if (right.kind === 'path') return compare(right.segments, mirrored[operator], left);
    throw unsupported('Comparing two constants');
  }

  function withoutOperator(left: Operand, scope: Scope): Condition {
    if (left.kind !== 'path') throw fail('A comparison is expected after a constant');
    const word = /^[A-Za-z]+/.exec(source.slice(position))?.[0];
    if (word === 'in') {
      position += 2;
      return onPath(left.segments, { kind: 'equal', literals: literalList(scope) });
    }
    if (word !== undefined) {
      const words = ['nin', 'subsetof', 'anyof', 'noneof', 'size', 'empty', 'contains'];
      throw words.includes(word) ? unsupported(`The operator '${word}'`) : fail(`'${word}' is not expected`);
    }
    if (/^[-+*/%]/.test(source.slice(position))) throw unsupported('Arithmetic');
    if (at('=')) throw fail("Equality is written '==': '=' is not expected");
    return onPath(left.segments, { kind: 'exists' });
  }

  function literalList(scope: Scope): Literal[] {
    expect('[');
    const literals: Literal[] = [];
    do {
      countTerm();
      const item = operand(scope);
      if (item.kind !== 'literal') throw fail('A constant is expected in the list');
      literals.push(item.literal);
    } while (take(','));
    expect(']');
    return literals;
  }

  function compare(path: Segment[], operator: Comparison, right: Exclude<Operand, { kind: 'path' }>): Condition {
    if (operator === '=~') {
      if (right.kind === 'literal') throw fail('A regular expression is written /…/ and is expected');
      return onPath(path, { kind: 'match', pattern: right.pattern, ignoreCase: right.ignoreCase });
    }
    if (right.kind === 'pattern') throw fail("A regular expression is compared with '=~' and not expected");
    const { literal } = right;
    if (operator === '==') return onPath(path, { kind: 'equal', literals: [literal] });
    if (operator === '!=') return { kind: 'not', condition: onPath(path, { kind: 'equal', literals: [literal] }) };
    if (literal.kind !== 'string' && literal.kind !== 'number') {
      throw fail('Only strings and numbers have an order; another constant is not expected');
    }
    return onPath(path, { kind: 'order', operator, operand: literal });
  }

  function operand(scope: Scope): Operand {
    skipSpace();
    const rest = source.slice(position);
    const first = rest.charAt(0);
    if (first === '') throw fail('The expression ends too early: more is expected');
    if (first === "'" || first === '"') return { kind: 'literal', literal: { kind: 'string', text: string() } };
    if (first === '/') return pattern();
    if (first === '@') {
      position += 1;
      return { kind: 'path', segments: segments(scope, 'context') };
    }
    if (first === '$') {
      if (!scope.root) throw unsupported("'$' inside the filter of an attribute");
      position += 1;
      // Each resource of the list is an element of the root; `$` and `$[*]` before a filter are the same.
      take('[*]');
      return { kind: 'path', segments: segments(scope, 'list') };
    }
    if (first === '[' && scope.bare) return { kind: 'path', segments: segments(scope, 'list') };
    const numeral = /^-?[0-9][0-9A-Za-z.+-]*/.exec(rest)?.[0];
    if (numeral !== undefined) {
      if (!isNumber(numeral)) throw fail(`'${numeral.slice(0, 40)}' is no number that can be compared`);
      position += numeral.length;
      return { kind: 'literal', literal: { kind: 'number', text: numeral } };
    }
    const name = memberName();
    if (name === undefined) throw fail('A path or a constant is expected');
    if (name === 'true' || name === 'false') {
      return { kind: 'literal', literal: { kind: 'boolean', value: name === 'true' } };
    }
    if (name === 'null') return { kind: 'literal', literal: { kind: 'null' } };
    if (at('(')) throw unsupported(`The function '${name}'`);
    if (!scope.bare) throw fail(`A path begins with '@': '${name}' is not expected`);
    return { kind: 'path', segments: [{ kind: 'member', name }, ...segments(scope, 'attribute')] };
  }

  function memberName(): string | undefined {
    const name = /^[\p{L}_@$][\p{L}\p{N}_@$-]*/u.exec(source.slice(position))?.[0];
    if (name !== undefined) position += name.length;
    return name;
  }

  function segments(scope: Scope, start: 'list' | 'context' | 'attribute'): Segment[] {
    const found: Segment[] = [];
    for (;;) {
      if (found.length > limits.depthMax) throw fail(`A path has more than ${limits.depthMax} steps`);
      if (at('..')) throw unsupported("The recursive descent '..'");
      if (at('.')) {
        position += 1;
        if (at('*')) throw unsupported("The wildcard '.*'");
        const name = memberName();
        if (name === undefined) throw fail('The name of a member is expected');
        if (at('(')) throw unsupported(`The function '${name}'`);
        found.push({ kind: 'member', name });
      } else if (at('[')) {
        position += 1;
        found.push(bracket(scope, found.length === 0 ? start : 'attribute'));
        expect(']');
      } else {
        return found;
      }
    }
  }

  function bracket(scope: Scope, subject: 'list' | 'context' | 'attribute'): Segment {
    // RFC 9535 lets the parentheses go.
    if (take('?')) {
      const inner = { ...deeper(scope), root: scope.root && subject !== 'attribute', bare: false };
      return { kind: 'filter', condition: disjunction(inner) };
    }
    if (take('*')) return { kind: 'elements' };
    if (at("'") || at('"')) {
      const name = string();
      skipSpace();
      if (at(',')) throw unsupported('A union of names');
      return { kind: 'member', name };
    }
    const index = /^[0-9]{1,6}/.exec(source.slice(position))?.[0];
    if (index !== undefined) {
      position += index.length;
      skipSpace();
      if (at(',') || at(':')) throw unsupported('A union or slice of elements');
      if (subject === 'list') throw unsupported('Picking a resource by its place, which offset and limit do,');
      return { kind: 'index', index: Number(index) };
    }
    if (at('-') || at(':')) throw unsupported('A negative index or a slice');
    if (at('(')) throw unsupported('A script');
    throw fail("'?', '*', a quoted name or an index is expected");
  }

  function string(): string {
    const quote = source.charAt(position);
    const started = position;
    position += 1;
    let text = '';
    for (;;) {
      const character = source.charAt(position);
      if (character === '') {
        position = started;
        throw fail('A string is not closed');
      }
      position += 1;
      if (character === quote) break;
      text += character === '\\' ? escapedCharacter() : character;
    }
    if (text.includes('\0') || /\p{Surrogate}/u.test(text))
      throw fail('A string names a character that no text can hold');
    return text;
  }

  function escapedCharacter(): string {
    const character = source.charAt(position);
    position += 1;
    const controls: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
    const control = Object.hasOwn(controls, character) ? controls[character] : undefined;
    if (control !== undefined) return control;
    if (character === 'u') {
      const digits = /^[0-9A-Fa-f]{4}/.exec(source.slice(position))?.[0];
      if (digits === undefined) throw fail('Four hexadecimal digits are expected');
      position += 4;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    if (character !== '' && '\'"\\/'.includes(character)) return character;
    throw fail('An escape that strings do not have is used');
  }

  function pattern(): Pattern {
    const written = /^\/((?:[^/\\]|\\.)*)\/([A-Za-z]*)/su.exec(source.slice(position));
    if (written === null) throw fail('A regular expression is not closed');
    const [whole, body = '', flags = ''] = written;
    if (flags !== '' && flags !== 'i') throw unsupported(`The flag '${flags}' of a regular expression`);
    const { pattern, ignoreCase } = translatePattern(parameter, body, limits.patternLengthMax);
    position += whole.length;
    return { kind: 'pattern', pattern, ignoreCase: ignoreCase || flags === 'i' };
  }

  /** Turns a path with filters on its way into nested conditions. */
  function onPath(path: Segment[], test: Test): Condition {
    const steps: Step[] = [];
    for (const [index, segment] of path.entries()) {
      if (segment.kind !== 'filter') {
        steps.push(segment);
        continue;
      }
      const rest = path.slice(index + 1);
      const inner =
        rest.length === 0 && test.kind === 'exists' ? segment.condition : both(segment.condition, onPath(rest, test));
      return { kind: 'some', path: steps, condition: inner };
    }
    return { kind: 'value', path: steps, test };
  }

  const condition = disjunction({ depth: 0, root: true, bare: true });
  skipSpace();
  if (position < source.length) throw fail('The end is expected');
  return unwrapRoot(condition);
}

function oneOrMore(kind: 'all' | 'any', conditions: Condition[]): Condition {
  const [first] = conditions;
  return conditions.length === 1 && first !== undefined ? first : { kind, conditions };
}

function both(first: Condition, second: Condition): Condition {
  return { kind: 'all', conditions: [first, second] };
}

/** `$[?(…)]` filters the list itself: its condition is one on the resource, which typed columns can answer. */
function unwrapRoot(condition: Condition): Condition {
  switch (condition.kind) {
    case 'some':
      return condition.path.length === 0 ? unwrapRoot(condition.condition) : condition;
    case 'not':
      return { kind: 'not', condition: unwrapRoot(condition.condition) };
    case 'all':
    case 'any':
      return { kind: condition.kind, conditions: condition.conditions.map(unwrapRoot) };
    case 'value':
      return condition;
  }
}
