import type { Json } from '../../kernel/json.ts';

/**
 * Reads CSV a line at a time, so that a broken one loses no other and a file may be larger than memory.
 * @returns the cells of a line; undefined for one that is no CSV
 */
export async function csvCells(): Promise<(text: string) => string[] | undefined> {
  const { parse } = await import('csv-parse/sync');
  return (text) => {
    try {
      const [found] = parse(text, { relaxColumnCount: true, trim: true });
      return found;
    } catch {
      return undefined;
    }
  };
}

// A spreadsheet takes what begins so for a formula; what a record said is data.
export function csvCell(value: Json | undefined): string {
  const text = value === undefined || value === null ? '' : String(value);
  const plain = /^[=+\-@\t\r]/.test(text) && typeof value === 'string' ? `'${text}` : text;
  return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
