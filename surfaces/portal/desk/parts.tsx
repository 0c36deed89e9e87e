import type { ComponentChildren } from 'preact';
import { shortId } from '../../../read/views/story.ts';
import { Badge, toneOf } from '../ui/parts.tsx';
import { minute, stateWord } from '../ui/words.ts';

/** A line to type at the terminal: pages of the desk show, and the terminal acts. */
export function Command({ line, does }: { line: string; does?: string }) {
  return (
    <p class="command">
      {does === undefined ? null : <span class="command-does">{does}</span>}
      <code>{line}</code>
    </p>
  );
}

/** What one could do about what is shown, as lines to type. */
export function Commands({ lines }: { lines: readonly { readonly does: string; readonly line: string }[] }) {
  return (
    <section class="commands" aria-labelledby="to-act">
      <h2 id="to-act">To act, type</h2>
      <ul>
        {lines.map(({ does, line }) => (
          <li key={line}>
            <Command does={does} line={line} />
          </li>
        ))}
      </ul>
    </section>
  );
}

export function State({ state }: { state: string | null }) {
  return <Badge tone={toneOf(state)}>{stateWord(state)}</Badge>;
}

const places: readonly (readonly [prefix: string, path: string])[] = [
  ['cus_', '/desk/customers/'],
  ['sub_', '/desk/lines/'],
  ['ord_', '/desk/orders/'],
  ['bil_', '/desk/bills/'],
  ['tck_', '/desk/tickets/'],
];

/** Where a thing has its page; what has none has its story. */
export function placeOf(id: string): string {
  const found = places.find(([prefix]) => id.startsWith(prefix));
  return `${found?.[1] ?? '/desk/trace/'}${encodeURIComponent(id)}`;
}

/** An id by its prefix and its end, which tell it from its neighbours. */
export function Id({ id }: { id: string }) {
  return (
    <a class="id" href={placeOf(id)} title={id}>
      {shortId(id)}
    </a>
  );
}

/** `22 Nov, 19:15`: lists of what happened are short of room, and of this year. */
export const moment = (instant: string | null, zone: string): string => minute(instant, zone).replace(/ \d{4},/, ',');

/** A list that goes on: the next page of it, with the same question. */
export function More({ to, next, name = 'after' }: { to: string; next: string | number | null; name?: string }) {
  if (next === null) return null;
  const sign = to.includes('?') ? '&' : '?';
  return (
    <p class="more">
      <a class="button secondary" href={`${to}${sign}${name}=${encodeURIComponent(next)}`}>
        Older ones
      </a>
    </p>
  );
}

/** Which of a list to show: one of a few states. */
export function Filter({
  label,
  path,
  name,
  chosen,
  values,
}: {
  label: string;
  path: string;
  name: string;
  chosen: string | undefined;
  values: readonly { readonly value: string; readonly label: string }[];
}) {
  return (
    <nav class="filter" aria-label={label}>
      <ul>
        {[{ value: '', label: 'All' }, ...values].map(({ value, label: text }) => (
          <li key={value}>
            <a
              href={value === '' ? path : `${path}?${name}=${encodeURIComponent(value)}`}
              aria-current={(chosen ?? '') === value ? 'true' : undefined}
            >
              {text}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** Figures of one part of the business, side by side. */
export function Figures({
  items,
}: {
  items: readonly {
    readonly name: string;
    readonly value: ComponentChildren;
    readonly tone?: 'good' | 'warn' | 'bad' | undefined;
  }[];
}) {
  return (
    <dl class="figures">
      {items.map(({ name, value, tone }) => (
        <div key={name} class={tone}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The value of a query's parameter when it is one that may be asked for, else none. */
export function oneOf<Value extends string>(given: string | null, values: readonly Value[]): Value | undefined {
  return values.find((value) => value === given);
}

/** A text that was asked for, as short as an id or a search is; empty is none. */
export function asked(given: string | null): string | undefined {
  const text = (given ?? '').trim().slice(0, 200);
  return text === '' ? undefined : text;
}

/** A place in a list of events. */
export function position(given: string | null): number | undefined {
  const number = Number(given);
  return given !== null && Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

/** What is there, without what is undefined: optional inputs of a query are left out. */
export function only(input: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
}
