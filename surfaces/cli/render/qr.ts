import { encode } from 'uqr';

/** White around the code, in modules; phones ask for four, and read with two on a dark terminal. */
const quiet = 2;

/**
 * A QR code as lines of half blocks, two modules to a character, dark on light whatever the terminal's colours are: in
 * colour the light modules are painted white, without colour they are full blocks, which are light on a dark terminal.
 */
export function qrLines(text: string, color: boolean): string[] {
  const { data, size } = encode(text, { ecc: 'M', border: 0 });
  const isDark = (row: number, column: number) => data[row]?.[column] === true;
  const lines: string[] = [];
  for (let row = -quiet; row < size + quiet; row += 2) {
    let line = '';
    for (let column = -quiet; column < size + quiet; column += 1) {
      const upper = !isDark(row, column);
      // Below the last row there is the terminal, not the code.
      const lower = row + 1 < size + quiet && !isDark(row + 1, column);
      line += upper ? (lower ? '█' : '▀') : lower ? '▄' : ' ';
    }
    lines.push(color ? `\u001b[97m\u001b[40m${line}\u001b[0m` : line);
  }
  return lines;
}
