// JSON already escapes most controls; the rest are escaped too, so that a terminal obeys none of them.
const unescaped = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** The same value, whatever reads it: what a terminal would obey is written as an escape. */
export function asJson(value: unknown): string {
  const text = JSON.stringify(value ?? null, null, 2);
  return `${text.replace(unescaped, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}
