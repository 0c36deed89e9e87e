import type { Json, JsonObject } from '../../kernel/json.ts';

/**
 * Resources as a table: a row each, a column for each top-level attribute. Text stands as it is; everything else, and
 * text that could be mistaken for something else, stands as JSON, so that a table read back is what was written.
 */
export function toCsv(documents: readonly JsonObject[]): string {
  const names = [...new Set(documents.flatMap((document) => Object.keys(document)))].sort((a, b) =>
    a === 'id' ? -1 : b === 'id' ? 1 : a < b ? -1 : 1,
  );
  const rows = documents.map((document) => names.map((name) => cellOf(document[name])));
  return [names, ...rows].map((row) => `${row.map(quoted).join(',')}\r\n`).join('');
}

function parsedOr<T>(text: string, otherwise: T): Json | T {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return otherwise;
  }
}

function cellOf(value: Json | undefined): string {
  if (value === undefined) return '';
  const isPlain = typeof value === 'string' && value !== '' && parsedOr(value, undefined) === undefined;
  return isPlain ? value : JSON.stringify(value);
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** Reads a table written as `toCsv` writes it. Throws a `SyntaxError` that names the line. */
export function fromCsv(text: string): JsonObject[] {
  const [names, ...rows] = cells(text.replace(/^\uFEFF/, ''));
  if (!names) return [];
  return rows.map((row, index) => {
    if (row.length !== names.length) {
      throw new SyntaxError(`Row ${index + 1} has ${row.length} cells, not ${names.length}.`);
    }
    return Object.fromEntries(
      row.flatMap((cell, column) => (cell === '' ? [] : [[names[column] ?? '', parsedOr(cell, cell)]])),
    );
  });
}

/** Rows of cells as RFC 4180 has them; a line end inside quotes belongs to its cell. */
function cells(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let cell: string;
    if (text[at] === '"') {
      const found = /"((?:[^"]|"")*)"/y;
      found.lastIndex = at;
      const match = found.exec(text);
      if (!match) throw new SyntaxError(`Row ${rows.length} has a quotation mark that is never closed.`);
      cell = (match[1] ?? '').replaceAll('""', '"');
      at = found.lastIndex;
    } else {
      const end = text.slice(at).search(/[,\r\n]/);
      cell = end === -1 ? text.slice(at) : text.slice(at, at + end);
      at += cell.length;
    }
    row.push(cell);
    if (text[at] === ',') {
      at += 1;
      // A comma at the very end opens one more cell, which is empty.
      if (at === text.length) row.push('');
      continue;
    }
    if (at < text.length && text[at] !== '\r' && text[at] !== '\n') {
      throw new SyntaxError(`Row ${rows.length} goes on after a closing quotation mark.`);
    }
    at += text.startsWith('\r\n', at) ? 2 : 1;
    rows.push(row);
    row = [];
  }
  if (row.length > 0) rows.push(row);
  return rows;
}
