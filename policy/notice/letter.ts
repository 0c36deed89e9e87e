import { cutText } from '../../kernel/text.ts';

/** What a customer reads: a few sentences and a small table. Plain text throughout; a form of it is made of this. */
export interface Letter {
  subject: string;
  sentences: string[];
  /** Labels with their values: a balance, a price. */
  table?: [label: string, value: string][];
  /** Where to go on; an address of our own. */
  link?: { label: string; url: string };
}

/** One line without control characters: names and titles come from people, and a line end in a header makes another. */
export function oneLine(value: string): string {
  return value
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
}

/** The letter as it is handed over, in both forms. */
export function written(letter: Letter, name: string): { subject: string; text: string; html: string } {
  const greeting = oneLine(name) === '' ? 'Hello,' : `Hello ${oneLine(name)},`;
  const table = (letter.table ?? []).map(([label, value]) => [oneLine(label), oneLine(value)] as const);
  const sentences = letter.sentences.map(oneLine);
  const width = Math.max(0, ...table.map(([label]) => label.length));
  const text = [
    greeting,
    ...sentences,
    ...(table.length > 0 ? [table.map(([label, value]) => `${`${label}:`.padEnd(width + 2)}${value}`).join('\n')] : []),
    ...(letter.link ? [`${oneLine(letter.link.label)}: ${letter.link.url}`] : []),
  ].join('\n\n');
  const rows = table.map(
    ([label, value]) =>
      `<tr><td style="padding:2px 16px 2px 0">${escaped(label)}</td><td><b>${escaped(value)}</b></td></tr>`,
  );
  const html = [
    '<!doctype html><html lang="en"><body style="font-family:sans-serif;line-height:1.5">',
    ...[greeting, ...sentences].map((sentence) => `<p>${escaped(sentence)}</p>`),
    ...(rows.length > 0 ? [`<table>${rows.join('')}</table>`] : []),
    ...(letter.link ? [`<p><a href="${escaped(letter.link.url)}">${escaped(oneLine(letter.link.label))}</a></p>`] : []),
    '</body></html>',
  ].join('\n');
  return { subject: cutText(oneLine(letter.subject), 200), text: `${text}\n`, html };
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(value: string): string {
  return value.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
