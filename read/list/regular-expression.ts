import { InvalidQuery, UnsupportedQuery } from './query-error.ts';

/** A regular expression in PostgreSQL's words. */
export interface Pattern {
  pattern: string;
  ignoreCase: boolean;
}

/** Copies of single characters that an expression may unfold to. PostgreSQL compiles each into a state of its own. */
const weightMax = 1000;
/**
 * How much heavier a copy is that may match nothing. PostgreSQL's time to compile such copies grows with their cube: 7 ms
 * for 100 of them, 9.5 s for 729.
 */
const emptyWeight = 10;
const repeatMax = 255;
const nestingMax = 20;

/** A translated piece of an expression. */
interface Part {
  text: string;
  /** Characters it unfolds to. */
  weight: number;
  canBeEmpty: boolean;
}
type Atom = Part & { repeatable: boolean };
const one = (text: string): Atom => ({ text, weight: 1, canBeEmpty: false, repeatable: true });
const boundary = (text: string): Atom => ({ text, weight: 0, canBeEmpty: true, repeatable: false });

/**
 * Translates a regular expression to PostgreSQL's dialect. Accepted is what JavaScript, Perl and PostgreSQL read alike:
 * characters, `.`, classes, groups, alternatives, `^`, `$`, `\b`, `\d`, `\w`, `\s` and repetition, with `(?i)` in front for
 * either case. Back references and look-around are refused: only they cost exponential time there. `\d` and `\w` mean
 * ASCII, `.` any character, and the expression may be found anywhere in the text.
 * @param parameter who is named in the error.
 * @throws InvalidQuery for a malformed or too large expression, UnsupportedQuery for one that PostgreSQL could not run safely.
 */
export function translatePattern(parameter: string, source: string, lengthMax: number): Pattern {
  const characters = [...source];
  if (characters.length > lengthMax) {
    throw new InvalidQuery(parameter, `A regular expression has at most ${lengthMax} characters.`, 'Shorten it.');
  }
  const ignoreCase = source.startsWith('(?i)');
  let position = ignoreCase ? 4 : 0;

  const fail = (what: string): InvalidQuery =>
    new InvalidQuery(parameter, `${what} at character ${position + 1} of the regular expression.`, 'Correct it.');
  const unsupported = (what: string): UnsupportedQuery =>
    new UnsupportedQuery(parameter, `${what} cannot be used in a regular expression.`, 'Rewrite it without.');
  const next = (): string => {
    const character = characters[position];
    if (character === undefined) throw fail('Something is missing');
    position += 1;
    return character;
  };
  const take = (character: string): boolean => {
    if (characters[position] !== character) return false;
    position += 1;
    return true;
  };

  function alternatives(depth: number): Part {
    if (depth > nestingMax) throw fail('Too many groups lie in one another');
    let text = '';
    let weight = 0;
    let canBeEmpty = false;
    let branchCanBeEmpty = true;
    while (position < characters.length && characters[position] !== ')') {
      if (take('|')) {
        text += '|';
        canBeEmpty ||= branchCanBeEmpty;
        branchCanBeEmpty = true;
        continue;
      }
      const part = repeated(depth);
      text += part.text;
      weight += part.weight;
      branchCanBeEmpty &&= part.canBeEmpty;
      if (weight > weightMax) throw fail('The expression unfolds to too many characters');
    }
    return { text, weight, canBeEmpty: canBeEmpty || branchCanBeEmpty };
  }

  function repeated(depth: number): Part {
    const part = atom(depth);
    const quantifier = readQuantifier();
    if (quantifier === undefined) return part;
    if (!part.repeatable) throw fail('Nothing that can repeat stands before a quantifier');
    // Lazy or greedy makes no difference to whether a match exists.
    take('?');
    if (readQuantifier() !== undefined) throw fail('Two quantifiers follow each other');
    const heavier = part.canBeEmpty && quantifier.copies > 1 ? emptyWeight : 1;
    const weight = Math.max(part.weight, 1) * quantifier.copies * heavier;
    if (weight > weightMax) throw fail('The expression unfolds to too many characters');
    return { text: part.text + quantifier.text, weight, canBeEmpty: part.canBeEmpty || quantifier.least === 0 };
  }

  function readQuantifier(): { text: string; copies: number; least: number } | undefined {
    for (const text of ['*', '+', '?']) if (take(text)) return { text, copies: 1, least: text === '+' ? 1 : 0 };
    if (!take('{')) return undefined;
    const close = characters.indexOf('}', position);
    const written = close < 0 ? '' : characters.slice(position, close).join('');
    const bounds = /^(\d{1,3})(,(\d{1,3})?)?$/.exec(written);
    if (bounds === null) throw fail('A repetition is not written as {n}, {n,} or {n,m}');
    const least = Number(bounds[1]);
    const most = bounds[3] === undefined ? least : Number(bounds[3]);
    if (least > most || most > repeatMax) throw fail(`A repetition is not between 0 and ${repeatMax}, least first,`);
    position = close + 1;
    return { text: `{${written}}`, copies: Math.max(most, 1), least };
  }

  function atom(depth: number): Atom {
    const character = next();
    switch (character) {
      case '^':
      case '$':
        return boundary(character);
      case '.':
        return one('.');
      case '[':
        return one(characterClass());
      case '\\':
        return escaped();
      case '(': {
        if (take('?') && !take(':'))
          throw unsupported('A group that begins with (?, other than (?: and a leading (?i),');
        const inner = alternatives(depth + 1);
        if (!take(')')) throw fail('A group is not closed');
        return { ...inner, text: `(?:${inner.text})`, repeatable: true };
      }
      case '*':
      case '+':
      case '?':
      case '{':
        throw fail('A quantifier has nothing to repeat');
      default:
        return one(literal(character));
    }
  }

  function escaped(): Atom {
    const character = next();
    // In PostgreSQL \b is a backspace; the boundary of a word is \y.
    if (character === 'b') return boundary('\\y');
    if (character === 'B') return boundary('\\Y');
    const classes: Record<string, string> = {
      d: '[0-9]',
      D: '[^0-9]',
      w: '[A-Za-z0-9_]',
      W: '[^A-Za-z0-9_]',
      s: '\\s',
      S: '\\S',
    };
    const text = Object.hasOwn(classes, character) ? classes[character] : undefined;
    return one(text ?? literal(escapedCharacter(character)));
  }

  /** The character that stands behind a backslash and is not a class. */
  function escapedCharacter(character: string): string {
    const controls: Record<string, string> = { t: '\t', n: '\n', r: '\r', f: '\f', v: '\v' };
    const control = Object.hasOwn(controls, character) ? controls[character] : undefined;
    if (control !== undefined) return control;
    if (character === 'x' || character === 'u') {
      const digits = characters.slice(position, position + (character === 'x' ? 2 : 4)).join('');
      if (!/^(?:[0-9A-Fa-f]{2}){1,2}$/.test(digits) || digits.length !== (character === 'x' ? 2 : 4)) {
        throw fail(`\\${character} is not followed by its hexadecimal digits`);
      }
      position += digits.length;
      const code = Number.parseInt(digits, 16);
      if (code === 0 || (code >= 0xd800 && code <= 0xdfff)) throw fail('A character that no text can hold is named');
      return String.fromCharCode(code);
    }
    if (/[0-9]/.test(character)) throw unsupported('A back reference');
    if (/[A-Za-z]/.test(character)) throw unsupported(`The escape \\${character}`);
    return character;
  }

  function characterClass(): string {
    const negated = take('^');
    let text = '';
    while (!take(']')) {
      const from = classItem();
      if ('set' in from || characters[position] !== '-' || characters[position + 1] === ']') {
        text += 'set' in from ? from.set : literal(from.character);
        continue;
      }
      take('-');
      const to = classItem();
      if ('set' in to) throw fail('A range ends in a class');
      if ((from.character.codePointAt(0) ?? 0) > (to.character.codePointAt(0) ?? 0)) {
        throw fail('A range is written backwards');
      }
      text += `${literal(from.character)}-${literal(to.character)}`;
    }
    if (text === '') throw fail('A class is empty');
    return `[${negated ? '^' : ''}${text}]`;
  }

  function classItem(): { character: string } | { set: string } {
    const character = next();
    if (character !== '\\') return { character };
    const named = next();
    if (named === 'd') return { set: '0-9' };
    if (named === 'w') return { set: 'A-Za-z0-9_' };
    if (named === 's') return { set: '\\s' };
    if (/[DWSbB]/.test(named)) throw unsupported(`\\${named} inside a class`);
    return { character: escapedCharacter(named) };
  }

  const { text } = alternatives(0);
  if (position < characters.length) throw fail('A group is closed that was not opened');
  return { pattern: text, ignoreCase };
}

/** A character that stands for itself, inside a class or outside. */
function literal(character: string): string {
  return /[\p{ASCII}]/u.test(character) && /[^A-Za-z0-9_\s]/.test(character) ? `\\${character}` : character;
}
