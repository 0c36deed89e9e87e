import { kindName } from '../../../kernel/quantity.ts';
import type { Balance, LineView } from '../../../read/views/line.ts';
import { bar } from './bar.ts';
import { type Paint, paintOf } from './paint.ts';
import { pad, type Style, widthOf } from './text.ts';

/** A phone number as people dial it. */
export function phone(msisdn: string | null): string {
  return msisdn === null ? '' : `+${msisdn}`;
}

const reasons: Readonly<Record<string, string>> = { exhausted: 'quota used up', unpaid: 'renewal declined' };

/** Why a line is blocked, in words: `blocked: renewal declined`. */
export function stateText(line: Pick<LineView, 'state' | 'blockReasons'>): string {
  const why = line.blockReasons.map((reason) => reasons[reason] ?? reason);
  return why.length === 0 ? line.state : `${line.state}: ${why.join(', ')}`;
}

const lowShare = 0.2;

function level(paint: Paint, share: number): (text: string) => string {
  if (share <= 0) return paint.bad;
  return share <= lowShare ? paint.warn : paint.good;
}

const nameWidth = 12;
const barWidthMax = 32;
const barWidthMin = 8;

/** What is left of each kind, as bars under each other. */
export function balanceLines(
  balances: readonly Balance[],
  stopped: readonly string[],
  width: number,
  style: Style,
): string[] {
  const paint = paintOf(style.color);
  const texts = balances.map((balance) =>
    balance.isUnlimited
      ? `unlimited, ${balance.used.text} used`
      : `${balance.remaining.text} of ${balance.granted.text}`,
  );
  const textWidth = Math.max(0, ...texts.map(widthOf));
  const barWidth = Math.max(barWidthMin, Math.min(barWidthMax, width - nameWidth - textWidth - 4));
  return balances.map((balance, index) => {
    const isStopped = stopped.includes(balance.kind) || balance.remaining.amount === 0;
    const share = balance.isUnlimited ? 1 : (balance.remaining.amount ?? 0) / Math.max(1, balance.granted.amount ?? 1);
    const { full, rest } = bar(share, barWidth);
    const drawn = balance.isUnlimited
      ? paint.accent('∞'.padEnd(barWidth, '─'))
      : level(paint, share)(full) + paint.quiet(rest);
    const text = texts[index] ?? '';
    return `${pad(kindName(balance.kind), nameWidth)}  ${drawn}  ${isStopped ? paint.bad(text) : text}`;
  });
}
