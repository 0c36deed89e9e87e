import type { ComponentChildren } from 'preact';

export type Tone = 'good' | 'warn' | 'bad' | 'quiet' | 'accent';

/** A state in a word. Its colour says nothing that the word does not. */
export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

const tones: Readonly<Record<string, Tone>> = {
  active: 'good',
  completed: 'good',
  settled: 'good',
  captured: 'good',
  done: 'good',
  resolved: 'good',
  blocked: 'bad',
  failed: 'bad',
  denied: 'bad',
  rejected: 'bad',
  pending: 'warn',
  held: 'warn',
  inprogress: 'warn',
  running: 'warn',
  acknowledged: 'warn',
  expired: 'warn',
};

export const toneOf = (state: string | null): Tone => tones[(state ?? '').toLowerCase()] ?? 'quiet';

/** A part of a page with a frame of its own. */
export function Card({
  title,
  end,
  children,
  class: className = '',
  level = 2,
}: {
  title?: ComponentChildren;
  /** What stands beside the title. */
  end?: ComponentChildren;
  children: ComponentChildren;
  class?: string;
  level?: 2 | 3;
}) {
  const Title = level === 2 ? 'h2' : 'h3';
  return (
    <section class={`card ${className}`}>
      {title === undefined ? null : (
        <div class="card-head">
          <Title>{title}</Title>
          {end === undefined ? null : <div class="card-end">{end}</div>}
        </div>
      )}
      {children}
    </section>
  );
}

/** Something the person should know: what was done, or what stands in the way. */
export function Notice({ tone, title, children }: { tone: Tone; title: string; children?: ComponentChildren }) {
  return (
    <div class={`notice ${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      <p class="notice-title">{title}</p>
      {children === undefined ? null : <div class="notice-body">{children}</div>}
    </div>
  );
}

/** Names and what they are, under each other. */
export function Pairs({ items }: { items: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="pairs">
      {items
        .filter(([, value]) => value !== undefined && value !== null && value !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

export interface Column<Row> {
  readonly title: string;
  value(row: Row): ComponentChildren;
  readonly align?: 'end';
  /** Left out where the screen is narrow. */
  readonly isExtra?: boolean;
}

/** Rows under each other; on a phone the less important columns are left out. */
export function Table<Row>({
  caption,
  columns,
  rows,
  empty,
}: {
  /** What it lists, for whoever does not see it. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  /** What is said when there is nothing to list. */
  empty: string;
}) {
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  const classOf = ({ align, isExtra }: Column<Row>) =>
    [align === 'end' ? 'end' : '', isExtra ? 'extra' : ''].filter((one) => one !== '').join(' ') || undefined;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="table" aria-label={caption} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" class={classOf(column)}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              {columns.map((column) => (
                <td key={column.title} class={classOf(column)}>
                  {column.value(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function ButtonLink({
  to,
  children,
  kind = 'secondary',
}: {
  to: string;
  children: ComponentChildren;
  kind?: 'primary' | 'secondary' | 'plain' | 'danger';
}) {
  return (
    <a class={`button ${kind}`} href={to}>
      {children}
    </a>
  );
}

/** How far something has come, step by step. */
export function Steps({
  label,
  steps,
}: {
  label: string;
  steps: readonly {
    readonly name: string;
    readonly state: 'done' | 'running' | 'waiting' | 'failed' | 'skipped';
    readonly detail?: ComponentChildren;
  }[];
}) {
  const words = { done: 'done', running: 'under way', waiting: 'to come', failed: 'failed', skipped: 'left out' };
  return (
    <ol class="steps" aria-label={label}>
      {steps.map(({ name, state, detail }) => (
        <li key={name} class={`step ${state}`}>
          <span class="step-mark" aria-hidden="true" />
          <span class="step-name">{name}</span>
          <span class={state === 'done' || state === 'waiting' ? 'unseen' : 'step-state'}>
            {detail ?? words[state]}
          </span>
        </li>
      ))}
    </ol>
  );
}
