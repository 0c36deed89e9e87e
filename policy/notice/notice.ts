import type { JsonObject } from '../../kernel/json.ts';
import { schedule } from '../core/flow.ts';
import type { Tx } from '../core/transaction.ts';

/** What customers are told of, by the name of its step. */
export const noticeKinds = [
  'quota_low',
  'balance_alert',
  'exhausted',
  'renewal_due',
  'renewal_declined',
  'receipt',
  'order_failed',
  'line_ended',
  'address_changed',
] as const;
export type NoticeKind = (typeof noticeKinds)[number];

export const noticeFlow = 'notice';

/**
 * Has a customer told of something, in the transaction of the thing itself. The telling is a step: nothing is sent while
 * a transaction is open, and a mail server that is away delays the news, never what it is about.
 * @param notice.subject what it is about: a line, a bill, an order item.
 * @param notice.fact names the news among those about its subject: told once.
 */
export function tell(
  tx: Tx,
  notice: { kind: NoticeKind; subject: string; fact?: string; input?: JsonObject; dueAt?: Date },
): Promise<void> {
  return schedule(tx, {
    flow: noticeFlow,
    subject: notice.subject,
    step: notice.kind,
    key: `${noticeFlow}:${notice.kind}:${notice.subject}${notice.fact === undefined ? '' : `:${notice.fact}`}`,
    ...(notice.input === undefined ? {} : { input: notice.input }),
    ...(notice.dueAt === undefined ? {} : { dueAt: notice.dueAt }),
  });
}
