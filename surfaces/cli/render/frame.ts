import { widthOf } from './text.ts';

const beginFrame = '\u001b[?2026h';
const endFrame = '\u001b[?2026l';
const eraseRest = '\u001b[K';
const eraseBelow = '\u001b[J';
const placed = (row: number) => `\u001b[${row + 1};1H`;

/**
 * Draws pictures over each other without a flicker: only lines that changed are written, each over the one that stood
 * there and erased from its end on, all between the marks that hold a terminal back until a frame is whole. Nothing is
 * ever cleared before it is drawn. What is higher than the terminal ends in a line that says so.
 */
export function painter(): (text: string, size: { columns: number; rows: number }) => string {
  let before: readonly string[] = [];
  let size = '';
  return (text, { columns, rows }) => {
    const isResized = size !== `${columns} ${rows}`;
    size = `${columns} ${rows}`;
    const lines = fitted(text, rows);
    const changed = lines.flatMap((line, row) => {
      if (!isResized && line === before[row]) return [];
      // A line as wide as the terminal leaves the cursor on its last column: erasing there would take a letter.
      return [`${placed(row)}${line}${widthOf(line) < columns ? eraseRest : ''}`];
    });
    const isShorter = lines.length < before.length || isResized;
    before = lines;
    if (changed.length === 0 && !isShorter) return '';
    const below = isShorter && lines.length < rows ? `${placed(lines.length)}${eraseBelow}` : '';
    return `${beginFrame}${changed.join('')}${below}${endFrame}`;
  };
}

function fitted(text: string, rows: number): string[] {
  const lines = text.replace(/\n$/, '').split('\n');
  if (lines.length <= rows) return lines;
  const hidden = lines.length - rows + 1;
  return [...lines.slice(0, Math.max(0, rows - 1)), `… ${hidden} more lines: make the terminal higher`];
}
