import { encode } from 'uqr';

/** White around the code, in modules: phones ask for four. */
const quiet = 4;

/** A QR code, dark on white whatever the colours of the page are: phones read it so. */
export function Qr({ text, label }: { text: string; label: string }) {
  const { data, size } = encode(text, { ecc: 'M', border: 0 });
  const whole = size + 2 * quiet;
  const path = data.flatMap((row, y) =>
    row.flatMap((isDark, x) => (isDark ? [`M${x + quiet} ${y + quiet}h1v1h-1z`] : [])),
  );
  return (
    <svg
      class="qr"
      viewBox={`0 0 ${whole} ${whole}`}
      width="264"
      height="264"
      role="img"
      aria-label={label}
      shape-rendering="crispEdges"
    >
      <rect width={whole} height={whole} fill="#fff" />
      <path d={path.join('')} fill="#000" />
    </svg>
  );
}
