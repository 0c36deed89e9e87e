import type { ClockView } from '../../../read/views/clock.ts';
import { card, cardWidths, pairs } from './card.ts';
import { paintOf } from './paint.ts';
import type { Style } from './text.ts';
import { distance, lengthOf, minuteOf, wholeOf } from './time.ts';

/** Business time, how it stands to the machine's, and what falls due. */
export function clockCard(view: ClockView, style: Style): string {
  const paint = paintOf(style.color);
  const { inner } = cardWidths(style);
  const { due } = view;
  const isFrozen = view.mode === 'frozen';
  const ahead = view.aheadSeconds;
  return card(
    {
      title: 'Business time',
      badge: isFrozen ? '❄ frozen' : '● wall',
      paintBadge: isFrozen ? paint.accent : paint.good,
    },
    [
      [`${paint.strong(wholeOf(view.now, view.timeZone))}  ${paint.quiet(view.timeZone)}`],
      pairs(
        [
          [
            'machine',
            `${wholeOf(view.machineNow, view.timeZone)}${Math.abs(ahead) < 2 ? '' : `, ${lengthOf(ahead)} ${ahead > 0 ? 'behind' : 'ahead'}`}`,
          ],
          ['due now', `${due.now} ${due.now === 1 ? 'step' : 'steps'}`, due.now > 0 ? paint.warn : undefined],
          ['next day', `${due.nextDay} ${due.nextDay === 1 ? 'step' : 'steps'}`],
          [
            'next',
            due.next
              ? `${minuteOf(due.next.at, view.timeZone)}, ${distance(due.next.at, view.now)}: ${due.next.flow} ${due.next.step}`
              : 'nothing waits',
          ],
        ],
        inner,
        style,
      ),
    ],
    style,
  );
}
