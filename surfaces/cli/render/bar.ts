const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A bar of `width` columns, `share` (0 to 1) of it full: the full part and the rest, to be coloured apart. */
export function bar(share: number, width: number): { full: string; rest: string } {
  const cells = Math.max(0, Math.min(1, share)) * width;
  const whole = Math.floor(cells);
  const part = eighths[Math.floor((cells - whole) * 8)] ?? '';
  // Something left is never drawn as nothing.
  const full = '█'.repeat(whole) + (whole === 0 && part === '' && share > 0 ? '▏' : part);
  return { full, rest: '░'.repeat(Math.max(0, width - full.length)) };
}

const levels = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/** One column for each value, as high as its part of the largest; nothing is a dot. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(0, ...values);
  return values
    .map((value) => (value <= 0 ? '·' : (levels[Math.min(7, Math.floor((value / most) * 7.999))] ?? '█')))
    .join('');
}

/** Columns of a chart from the top line down, `height` lines high; each value is one text of lines. */
export function columns(values: readonly number[], height: number): string[] {
  const most = Math.max(0, ...values);
  return Array.from({ length: height }, (_, line) => {
    const floor = height - 1 - line;
    return values
      .map((value) => {
        const filled = most === 0 ? 0 : (value / most) * height - floor;
        if (filled >= 1) return '█';
        if (filled > 0) return levels[Math.min(7, Math.floor(filled * 8))] ?? '▁';
        return ' ';
      })
      .join('');
  });
}
