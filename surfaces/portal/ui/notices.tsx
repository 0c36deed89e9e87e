import type { Visit } from '../route.ts';
import { Notice } from './parts.tsx';

/** What was done, as the next page says it. Only these words can be said: an address cannot put others there. */
const done: Readonly<Record<string, string>> = {
  'roaming-on': 'Roaming is on. Data abroad spends only roaming data that you have.',
  'roaming-off': 'Roaming is off.',
  'plan-changed': 'Your new plan begins when this one renews. Until then you can keep the old one.',
  'plan-kept': 'You keep your plan.',
  'end-waits': 'The line ends when its period does. Until then you can change your mind.',
  'end-withdrawn': 'The line goes on, and renews as ever.',
  ended: 'The line has ended.',
  'esim-replaced': 'A new eSIM is on its way. The old one works until the new one is confirmed.',
  'card-added': 'The card is on file. Nothing was charged.',
  'card-removed': 'The card is gone.',
  'card-preferred': 'That card is charged from now on.',
  'contact-same': 'That is how we reach you already. Nothing was changed.',
  'contact-changed': 'Your details are changed.',
  'address-proven': 'The address is proven: codes and receipts go there from now on.',
  'address-unproven': 'We mailed a link to the new address. It takes the place of the old one once you follow it.',
  'ticket-opened': 'We have it. You find our answer here, at the ticket.',
  'note-added': 'Added to the ticket.',
  live: 'Paid, and your line is live. Scan the code with the phone that gets it.',
};

export function Done({ visit }: { visit: Pick<Visit, 'query'> }) {
  const words = done[visit.query.get('done') ?? ''];
  return words === undefined ? null : <Notice tone="good" title={words} />;
}
