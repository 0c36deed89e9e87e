/**
 * The beginning of a text, of at most `max` characters as JavaScript counts them. A pair of surrogates is not parted:
 * PostgreSQL refuses JSON that holds half of one.
 */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text;
  return text.slice(0, /[\uD800-\uDBFF]/.test(text.charAt(max - 1)) ? max - 1 : max);
}

/** A text as PostgreSQL keeps it, whatever somebody typed: without NUL, and without half a pair of surrogates. */
export function keepableText(text: string): string {
  return Buffer.from(text.replaceAll('\0', ' ')).toString();
}
