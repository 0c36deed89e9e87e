import type { HealthView } from '../../../read/views/health.ts';
import { card, cardWidths, pairs } from './card.ts';
import { paintOf } from './paint.ts';
import { type Style, wrap } from './text.ts';
import { lengthOf, minuteOf } from './time.ts';

const bytesInMb = 1024 ** 2;

/** How business and machinery are doing, with what to act on at the end. */
export function healthCard(view: HealthView, style: Style): string {
  const paint = paintOf(style.color);
  const { inner } = cardWidths(style);
  const { lines, orders, steps, network, stock } = view;
  const isWell = view.alarms.length === 0;
  return card(
    {
      title: 'Airtime',
      badge: isWell ? '● well' : `● ${view.alarms.length} to act on`,
      paintBadge: isWell ? paint.good : paint.warn,
    },
    [
      pairs(
        [
          ['now', `${minuteOf(view.now, view.timeZone)}${view.clock === 'frozen' ? ' (frozen)' : ''}`],
          ['customers', String(view.customers)],
          [
            'lines',
            `${lines.active} active, ${lines.blocked} blocked, ${lines.pending} pending, ${lines.terminated} ended`,
          ],
          ['orders', `${orders.open} open, ${orders.failedLastDay} failed in the last day`],
        ],
        inner,
        style,
      ),
      pairs(
        [
          [
            'work',
            `${steps.due} due${steps.due > 0 ? `, the oldest for ${lengthOf(steps.oldestDueSeconds)}` : ''}, ${steps.retrying} retrying`,
            steps.retrying > 0 ? paint.warn : undefined,
          ],
          [
            'network',
            network.pending === 0
              ? 'has confirmed everything'
              : `${network.pending} not confirmed, the oldest for ${lengthOf(network.oldestSeconds)}`,
          ],
          ['stock', `${stock.numbers} numbers, ${stock.esims} eSIM profiles`],
          ['database', `${Math.round(view.databaseBytes / bytesInMb)} MB`],
          ['last event', minuteOf(view.lastEventAt, view.timeZone)],
        ],
        inner,
        style,
      ),
      view.alarms.flatMap((alarm) => [
        ...wrap(alarm.sentence, inner - 2).map((line, index) => `${index === 0 ? paint.bad('!') : ' '} ${line}`),
        `  ${paint.accent(alarm.command)}`,
      ]),
    ],
    style,
  );
}
