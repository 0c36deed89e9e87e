import { widthOf } from './text.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is a terminal that reads them
const pieces = /\u001b\[(\??)([\d;]*)([A-Za-z])|[^\u001b]+/g;

/** As much of a terminal as frames use: where each letter lands, and what is ever cleared. */
export class TestScreen {
  readonly rows: string[];
  /** The most rows that were blank at any moment since the last frame was whole. */
  blankMost = 0;
  /** How often the whole screen was cleared. */
  cleared = 0;
  /** Between the marks of a frame. */
  isHeld = false;
  private row = 0;
  private column = 0;

  constructor(
    readonly height: number,
    readonly width: number,
  ) {
    this.rows = Array.from({ length: height }, () => '');
  }

  write(bytes: string): void {
    this.blankMost = this.blank();
    for (const [whole, isPrivate, given = '', letter] of bytes.matchAll(pieces)) {
      if (letter === undefined) this.letters(whole);
      else this.obey(isPrivate === '?', given, letter);
      this.blankMost = Math.max(this.blankMost, this.blank());
    }
  }

  blank(): number {
    return this.rows.filter((row) => row.trim() === '').length;
  }

  private letters(text: string): void {
    if (text.includes('\n')) throw new Error('a frame moves the cursor itself: a line feed would scroll');
    const before = this.rows[this.row] ?? '';
    const end = this.column + widthOf(text);
    if (end > this.width) throw new Error(`wider than the terminal: ${text}`);
    this.rows[this.row] = before.slice(0, this.column).padEnd(this.column) + text + before.slice(end);
    this.column = end;
  }

  private obey(isPrivate: boolean, given: string, letter: string): void {
    if (isPrivate) {
      if (given === '2026') this.isHeld = letter === 'h';
    } else if (letter === 'H') {
      const [row = 1, column = 1] = given === '' ? [] : given.split(';').map(Number);
      this.row = row - 1;
      this.column = column - 1;
    } else if (letter === 'K') {
      this.rows[this.row] = (this.rows[this.row] ?? '').slice(0, this.column);
    } else if (letter === 'J') {
      if (given === '2' || this.row === 0) this.cleared += 1;
      this.rows.fill('', this.row);
    } else if (letter !== 'm') throw new Error(`this terminal does not know ${letter}`);
  }
}
