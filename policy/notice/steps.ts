import { RequestRefused } from '../../adapters/outcome.ts';
import { cutText } from '../../kernel/text.ts';
import type { StepContext, StepDefinition } from '../core/flow.ts';
import { findRow } from '../core/table.ts';
import { logInteraction } from '../interaction/commands.ts';
import { type Composed, composers } from './compose.ts';
import { oneLine, written } from './letter.ts';
import { type NoticeKind, noticeFlow, noticeKinds } from './notice.ts';

const summaries: Readonly<Record<NoticeKind, string>> = {
  quota_low: 'Tell the customer that quota runs low',
  balance_alert: 'Tell the customer that as little is left as they asked about',
  exhausted: 'Tell the customer that a service is stopped',
  renewal_due: 'Tell the customer of the next renewal and its price',
  renewal_declined: 'Tell the customer that the renewal was declined',
  receipt: 'Send the receipt',
  order_failed: 'Tell the customer that an order failed',
  line_ended: 'Tell the customer that the line ended',
  address_changed: 'Tell the address that a customer had before that it is theirs no more',
};

interface Prepared extends Omit<Composed, 'to'> {
  name: string;
  to: string | null;
}

async function run(context: StepContext, kind: NoticeKind): Promise<void> {
  const prepared = await context.during('notice.compose', async (tx): Promise<Prepared | undefined> => {
    const composed = await composers[kind](tx, context.step.subject, context.step.input);
    const customer = composed && (await findRow(tx, 'customer', { id: composed.customerId }));
    return composed && customer
      ? { ...composed, name: customer.name ?? '', to: composed.to ?? customer.email }
      : undefined;
  });
  if (!prepared) {
    await context.finish('notice.pass_over', async () => undefined);
    return;
  }
  const came = await handOver(context, prepared);
  await context.finish('notice.tell', (tx) =>
    logInteraction(tx, {
      customerId: prepared.customerId,
      channel: 'mail',
      direction: 'outbound',
      reason: kind.replaceAll('_', ' '),
      description: `${came}: ${oneLine(prepared.letter.subject)}`,
      about: prepared.about,
    }),
  );
}

/**
 * Sends it, under the key of the news: after a crash the same message is handed over again and known for the same. Any
 * failure but the last word on this message puts the step back.
 */
async function handOver(context: StepContext, prepared: Prepared): Promise<string> {
  if (prepared.to === null) return 'Not sent, the customer has no e-mail address';
  try {
    await context.outside.mail.send({
      key: context.step.key,
      to: prepared.to,
      ...(oneLine(prepared.name) === '' ? {} : { toName: cutText(oneLine(prepared.name), 200) }),
      ...written(prepared.letter, prepared.name),
    });
    return 'Sent';
  } catch (error) {
    if (error instanceof RequestRefused && error.code !== 'unauthorised')
      return `Not delivered, it was refused (${error.message})`;
    throw error;
  }
}

/** Tried again each minute, that is a day: news that is older is better looked at first. */
const attemptsMax = 1450;

export const noticeSteps: readonly StepDefinition[] = noticeKinds.map((kind) => ({
  flow: noticeFlow,
  step: kind,
  summary: summaries[kind],
  attemptsMax,
  run: (context) => run(context, kind),
}));
