import { stripVTControlCharacters } from 'node:util';

// Apart from what measures text: that takes long to load, and not everybody who prints a word measures it.

// C0 and C1 controls, and the marks that turn the direction of what follows them.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Text that people wrote, safe to print: no escape sequence, no control character, no line break, no turned direction.
 * A terminal would obey them, and a name must not be able to move the cursor or paint a false line.
 */
export function plainText(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replace(/[\t\n\u0085\u2028\u2029]+/g, ' ')
    .replace(controls, '');
}

/** The same for every string inside a value, keys too. Drawing starts with this, so no picture can forget it. */
export function plainValue(value: unknown): unknown {
  if (typeof value === 'string') return plainText(value);
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [plainText(name), plainValue(part)]));
}
