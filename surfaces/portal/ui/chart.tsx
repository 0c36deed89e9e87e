export interface ChartDay {
  /** `22 Nov` */
  readonly label: string;
  readonly value: number;
  readonly text: string;
}

const width = 640;
const height = 240;
const axis = 24;
const gap = 0.28;

/** Days as columns. What it shows is also a table below it, for whoever does not see it. */
export function DayChart({ label, days, top }: { label: string; days: readonly ChartDay[]; top: string }) {
  const most = Math.max(1, ...days.map(({ value }) => value));
  const step = width / Math.max(1, days.length);
  const wide = Math.min(36, step * (1 - gap));
  const first = days[0];
  const last = days.at(-1);
  return (
    <figure class="chart">
      <svg viewBox={`0 0 ${width} ${height + axis}`} role="img" aria-label={label}>
        <line class="chart-grid" x1="0" x2={width} y1="20" y2="20" />
        <line class="chart-grid" x1="0" x2={width} y1={(height + 20) / 2} y2={(height + 20) / 2} />
        <text class="chart-text" x="0" y="13">
          {top}
        </text>
        {days.map(({ label: day, value, text }, index) => {
          const tall = value === 0 ? 2 : Math.max(4, ((height - 20) * value) / most);
          return (
            <rect
              key={day}
              class={value === 0 ? 'chart-none' : 'chart-bar'}
              x={round(index * step + (step - wide) / 2)}
              y={round(height - tall)}
              width={round(wide)}
              height={round(tall)}
              rx={value === 0 ? 1 : 3}
            >
              <title>{`${day}: ${text}`}</title>
            </rect>
          );
        })}
        <line class="chart-axis" x1="0" x2={width} y1={height} y2={height} />
        <text class="chart-text" x="0" y={height + 18}>
          {first?.label}
        </text>
        <text class="chart-text" x={width} y={height + 18} text-anchor="end">
          {last?.label}
        </text>
      </svg>
    </figure>
  );
}

const round = (value: number): number => Math.round(value * 10) / 10;
