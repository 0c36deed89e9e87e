import type { EsimView } from '../../../read/views/esim.ts';
import { card, cardWidths, pairs } from './card.ts';
import { phone } from './line.ts';
import { paintOf, paintState } from './paint.ts';
import { qrLines } from './qr.ts';
import { type Style, widthOf, wrap } from './text.ts';

/** The eSIM of a line, and its code for a phone to scan. */
export function esimCard(view: EsimView, style: Style): string {
  const paint = paintOf(style.color);
  const { inner } = cardWidths(style);
  const about = card(
    { title: view.id, badge: `● ${view.state}`, paintBadge: (text) => paintState(paint, view.state, text) },
    [
      pairs(
        [
          ['line', view.subscriptionId],
          ['number', phone(view.msisdn)],
          ['ICCID', `ends ${view.iccidLastFour}`],
        ],
        inner,
        style,
      ),
      wrap(view.activationCode, inner),
    ],
    style,
  );
  const code = qrLines(view.activationCode, style.color);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour takes no room
  const width = widthOf((code[0] ?? '').replace(/\u001b\[\d+m/g, ''));
  if (width > style.width) return `${about}${paint.quiet('The terminal is too narrow for the code: widen it.')}\n`;
  return `${about}${code.join('\n')}\n${paint.quiet('Scan it with the phone that gets the line.')}\n`;
}
