import stringWidth from 'string-width';

/** How wide the terminal is in columns, and whether colour may be used. */
export interface Style {
  width: number;
  color: boolean;
  /** How many lines there is room for, where a picture is watched; without it a picture is as high as it is. */
  height?: number;
}

/** Columns a text takes; colour takes none, an ideograph two, a combining mark none. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Cuts plain text (no colour in it) to a width, with an ellipsis when something was cut. */
export function shorten(text: string, width: number): string {
  if (width <= 0) return '';
  if (widthOf(text) <= width) return text;
  let kept = '';
  let taken = 0;
  for (const { segment } of graphemes.segment(text)) {
    const more = widthOf(segment);
    if (taken + more > width - 1) break;
    kept += segment;
    taken += more;
  }
  return `${kept.trimEnd()}…`;
}

/** Fills a text, coloured or not, with spaces up to a width. A longer one is left as it is. */
export function pad(text: string, width: number, side: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return side === 'left' ? text + space : space + text;
}

/** Breaks plain text into lines no wider than `width`, between words where there is a place to break. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/ +/)) {
    const joined = line === '' ? word : `${line} ${word}`;
    if (widthOf(joined) <= width) {
      line = joined;
      continue;
    }
    if (line !== '') lines.push(line);
    line = word;
    while (widthOf(line) > width && width > 1) {
      const head = cut(line, width);
      lines.push(head);
      line = line.slice(head.length);
    }
  }
  return line === '' && lines.length > 0 ? lines : [...lines, line];
}

function cut(text: string, width: number): string {
  let kept = '';
  let taken = 0;
  for (const { segment } of graphemes.segment(text)) {
    const more = widthOf(segment);
    if (taken + more > width && kept !== '') break;
    kept += segment;
    taken += more;
  }
  return kept;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is skipped
const colors = /\u001b\[\d+m/g;

/** Cuts lines that are wider than the terminal, coloured or not: a line that wraps breaks the picture around it. */
export function clamp(text: string, width: number): string {
  return text
    .split('\n')
    .map((line) => (widthOf(line) <= width ? line : cutColored(line, width)))
    .join('\n');
}

function cutColored(line: string, width: number): string {
  let taken = 0;
  let kept = '';
  let from = 0;
  const add = (plain: string) => {
    const room = width - taken;
    if (room <= 0) return;
    const part = widthOf(plain) <= room ? plain : shorten(plain, room);
    kept += part;
    // What was cut fills its room: nothing stands behind an ellipsis.
    taken = part === plain ? taken + widthOf(part) : width;
  };
  for (const found of line.matchAll(colors)) {
    add(line.slice(from, found.index));
    kept += found[0];
    from = found.index + found[0].length;
  }
  add(line.slice(from));
  return kept;
}
