import { daysAfter, monthsAfter } from '../../kernel/calendar.ts';
import { type StepContext, type StepDefinition, schedule, TryLater } from '../core/flow.ts';
import { text } from '../core/party.ts';
import { findRow, findRows, getRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { logInteraction } from '../interaction/commands.ts';
import { endQuarantine, releaseNumber, takeBackEsim } from '../inventory/inventory.ts';
import { tell } from '../notice/notice.ts';
import { completeEnd } from '../order/completion.ts';
import { lockItem } from '../order/progress.ts';
import {
  askAuthorisation,
  askCapture,
  askRefund,
  askRelease,
  askVoid,
  attemptPayment,
  capturedReference,
  recordAuthorisation,
  recordCapture,
  recordCaptureFailure,
  recordReauthorisation,
  recordRefund,
  recordVoid,
  tokenOf,
} from '../payment/payment.ts';
import { endAtBoundary, endLine, endsBy } from './end.ts';
import {
  beginNextPlan,
  changeLine,
  expireBuckets,
  kindsOf,
  type Line,
  lockLine,
  lockLineAndChange,
  openPeriod,
  orderNetwork,
  planChangeOf,
  resume,
  scheduleRenewal,
  termsOf,
  termsOfNextPeriod,
} from './line.ts';

/** The boundary that a renewal is about is the line's own, not the instant a worker found time for it. */
function monthsSoFar(line: Line, boundary: Date, timeZone: string): number {
  if (!line.anchorAt) throw new Error(`line ${line.id} has no anchor`);
  for (let months = 1; months <= 12_000; months += 1) {
    if (monthsAfter(line.anchorAt, months, timeZone) >= boundary) return months;
  }
  throw new Error(`line ${line.id} has no boundary at ${boundary.toISOString()}`);
}

const renew: StepDefinition = {
  flow: 'renewal',
  step: 'charge',
  summary: 'Charge the copied price and open a new period',
  async run(context) {
    const boundary = context.step.dueAt;
    const begun = await context.during('subscription.renewal_attempt', async (tx) => {
      const line = await lockLine(tx, context.step.subject);
      if (isOvertaken(line, boundary) || endsBy(line, boundary)) return undefined;
      // A charge that is still not answered is no grace: the old quota ends at the boundary and the line stops with it.
      if (context.step.attempts > 1) await expireBuckets(tx, line, boundary);
      const { name, amountMinor, currency, taxRate } = termsOfNextPeriod(line);
      const payment = await attemptPayment(tx, {
        factKey: renewalFact(line.id, boundary),
        purpose: 'renewal',
        customerId: line.customerId,
        amountMinor,
        currency,
        taxRate,
        name: `${name}, renewal`,
        subscriptionId: line.id,
        periodNumber: line.periodNumber + 1,
      });
      return { payment, token: await tokenOf(tx, payment) };
    });
    if (!begun) {
      await giveUpRenewal(context, boundary);
      return;
    }
    const { payment, token } = begun;
    if (payment.state === 'denied' || payment.state === 'failed') {
      await context.finish('subscription.renewal_declined', (tx) =>
        declined(tx, context.step.subject, boundary, payment.failureReason ?? 'no card on file'),
      );
      return;
    }
    for (let round = 1; ; round += 1) {
      // An earlier run may have got this far: then the gateway is asked what it knows before anything is tried.
      const isRetry = context.step.attempts > 1;
      const authorisation = await askAuthorisation(context.outside.gateway, payment, token, round, isRetry);
      if (authorisation.outcome !== 'authorised') {
        const message = authorisation.outcome === 'declined' ? authorisation.message : 'the bank asks for the customer';
        // Nobody is there to confirm a renewal; one who did later would hold money for a period that was not opened.
        await askVoid(context.outside.gateway, { ...payment, gatewayReference: authorisation.gatewayReference });
        await context.finish('subscription.renewal_declined', async (tx) => {
          await recordAuthorisation(tx, payment.id, {
            outcome: 'declined',
            gatewayReference: authorisation.gatewayReference,
            code: authorisation.outcome === 'declined' ? authorisation.code : 'requires_action',
            message,
          });
          await declined(tx, context.step.subject, boundary, message);
        });
        return;
      }
      const authorised = await context.during('payment.record_authorisation', (tx) =>
        recordAuthorisation(tx, payment.id, authorisation),
      );
      const capture = await askCapture(
        context.outside.gateway,
        { ...authorised, gatewayReference: authorisation.gatewayReference },
        round,
        isRetry,
      );
      if (capture.outcome === 'expired') {
        if (round >= 5) throw new TryLater('authorisations keep running out before their capture');
        await context.during('payment.reauthorise', (tx) => recordReauthorisation(tx, payment.id));
        continue;
      }
      if (capture.outcome === 'failed') {
        await askVoid(context.outside.gateway, { ...payment, gatewayReference: authorisation.gatewayReference });
        await context.finish('subscription.renewal_declined', async (tx) => {
          await recordCaptureFailure(tx, payment.id, capture.code, capture.message);
          await declined(tx, context.step.subject, boundary, capture.message);
        });
        return;
      }
      await context.finish('subscription.renew', (tx) => renewed(tx, context.step.subject, boundary, payment.id));
      return;
    }
  },
};

const renewalFact = (lineId: string, boundary: Date) => `renewal:${lineId}:${boundary.toISOString()}`;

function isOvertaken(line: Line, boundary: Date): boolean {
  return line.state === 'terminated' || line.periodEndsAt === null || line.periodEndsAt > boundary;
}

/** Ends a line that ends here. @returns false for one that goes on without a period for what comes. */
async function isOver(tx: Tx, lineId: string, boundary: Date): Promise<boolean> {
  return (await endAtBoundary(tx, lineId, boundary)) || isOvertaken(await lockLine(tx, lineId), boundary);
}

/**
 * The same where the card was asked and the money let go. One attempt a boundary: a line whose end was called off
 * meanwhile is unpaid, and has its next attempt at the next.
 */
async function endOrStop(tx: Tx, lineId: string, boundary: Date): Promise<void> {
  if (!(await isOver(tx, lineId, boundary))) {
    await declined(tx, lineId, boundary, 'the end of the line was called off while it was carried out');
  }
}

/**
 * The line ended, ends here, or got a new period before this renewal was settled. An earlier run may have asked the
 * gateway and never heard: what was taken is given back, what is held is let go. A line that ends here ends now.
 */
async function giveUpRenewal(context: StepContext, boundary: Date): Promise<void> {
  const { gateway } = context.outside;
  const lineId = context.step.subject;
  const payment = await context.during('payment.read', (tx) =>
    findRow(tx, 'payment', { factKey: renewalFact(context.step.subject, boundary) }),
  );
  if (!payment || (payment.state !== 'pendingAuthorization' && payment.state !== 'authorized')) {
    await context.finish('subscription.renewal_void', async (tx) => {
      // Its end was called off in the last moment: the next run charges for the period that now begins.
      if (!(await isOver(tx, lineId, boundary))) throw new TryLater('the line goes on after all');
    });
    return;
  }
  const taken = await capturedReference(gateway, payment);
  if (taken === undefined) {
    await askRelease(gateway, payment);
    await context.finish('payment.record_void', async (tx) => {
      await endOrStop(tx, lineId, boundary);
      await recordVoid(tx, payment.id, 'the renewal was overtaken');
    });
    return;
  }
  const answer = await askRefund(gateway, { ...payment, gatewayReference: taken });
  if (answer.outcome === 'failed') throw new TryLater(`the gateway would not refund: ${answer.code}`);
  await context.finish('payment.record_refund', async (tx) => {
    await endOrStop(tx, lineId, boundary);
    await recordAuthorisation(tx, payment.id, { outcome: 'authorised', gatewayReference: taken, expiresAt: tx.now });
    await recordCapture(tx, payment.id, { name: 'Renewal', subscriptionId: context.step.subject });
    if (answer.outcome === 'refunded') await recordRefund(tx, payment.id, answer, 'the renewal was overtaken');
  });
}

async function renewed(tx: Tx, lineId: string, boundary: Date, paymentId: string): Promise<void> {
  const { line } = await lockLineAndChange(tx, lineId);
  // Ended, or given a new period, while the card was asked: the next run gives the money back.
  if (isOvertaken(line, boundary) || endsBy(line, boundary))
    throw new TryLater('the line changed while its renewal was charged');
  const months = monthsSoFar(line, boundary, tx.settings.timeZone);
  const anchorAt = line.anchorAt ?? boundary;
  const { name } = termsOfNextPeriod(line);
  const paid = await recordCapture(tx, paymentId, {
    name: `${name}, renewal`,
    subscriptionId: lineId,
    period: { from: boundary, to: monthsAfter(anchorAt, months + 1, tx.settings.timeZone) },
  });
  if (paid.state !== 'captured') throw new TryLater('the payment of this period is not captured');
  // Plan and price change with the charge of the new price, or not at all.
  if (planChangeOf(line)) await beginNextPlan(tx, lineId);
  // The old plan quota lapses before the new opens; the line is not stopped between the two.
  const opened = await openPeriod(tx, lineId, {
    number: line.periodNumber + 1,
    anchorAt,
    monthsFromAnchor: months,
    startsAt: boundary,
    paymentId,
  });
  const fresh = kindsOf(termsOf(opened));
  await expireBuckets(tx, line, boundary, fresh);
  await resume(tx, lineId, ['exhausted', 'unpaid'], fresh);
  await logInteraction(tx, {
    customerId: line.customerId,
    channel: 'system',
    direction: 'outbound',
    reason: 'renewal',
    description: `${name} renewed on ${line.msisdn}`,
  });
}

/** No grace: the line is blocked at that instant, waits for the next boundary, and ends after the unpaid days. */
async function declined(tx: Tx, lineId: string, boundary: Date, reason: string): Promise<void> {
  const line = await lockLine(tx, lineId);
  if (line.state === 'terminated' || (await endAtBoundary(tx, lineId, boundary))) return;
  await expireBuckets(tx, line, boundary);
  const current = await lockLine(tx, lineId);
  if (!current.blockReasons.includes('unpaid')) {
    await changeLine(tx, current, { state: 'blocked', blockReasons: [...current.blockReasons, 'unpaid'] });
    await orderNetwork(tx, lineId);
    const endsAt = daysAfter(boundary, tx.settings.unpaidTerminationDays, tx.settings.timeZone);
    await schedule(tx, {
      flow: 'unpaid',
      subject: lineId,
      step: 'terminate',
      key: `unpaid:${lineId}:${boundary.toISOString()}`,
      dueAt: endsAt,
    });
  }
  const { timeZone } = tx.settings;
  const nextAt = monthsAfter(line.anchorAt ?? boundary, monthsSoFar(line, boundary, timeZone) + 1, timeZone);
  await scheduleRenewal(tx, lineId, nextAt);
  await tell(tx, {
    kind: 'renewal_declined',
    subject: lineId,
    fact: boundary.toISOString(),
    input: { reason, nextAt: nextAt.toISOString() },
  });
}

const expire: StepDefinition = {
  flow: 'bucket',
  step: 'expire',
  summary: 'End the quota whose time has come',
  async run(context) {
    await context.finish('bucket.expire', async (tx) => {
      const line = await lockLine(tx, context.step.subject);
      if (line.state === 'terminated') return;
      await expireBuckets(tx, line, context.step.dueAt);
    });
  },
};

const terminateUnpaid: StepDefinition = {
  flow: 'unpaid',
  step: 'terminate',
  summary: 'End a line that stayed unpaid',
  async run(context) {
    await context.finish('subscription.terminate', async (tx) => {
      const line = await lockLine(tx, context.step.subject);
      if (!line.blockReasons.includes('unpaid')) return;
      await endLine(tx, line.id);
    });
  },
};

/** Number to quarantine and eSIM back, once the network has let go; then the order that ended the line is complete. */
const releaseLine: StepDefinition = {
  flow: 'line',
  step: 'release',
  summary: 'Return number and eSIM of an ended line',
  async run(context) {
    await context.finish('inventory.release', async (tx) => {
      const { endItemId } = await getRow(tx, 'subscription', { id: context.step.subject });
      // An order is locked before its line.
      const item = endItemId === null ? undefined : await lockItem(tx, endItemId);
      const line = await lockLine(tx, context.step.subject);
      if (line.msisdn) await releaseNumber(tx, line.msisdn, [line.id]);
      if (line.esimId) await takeBackEsim(tx, line.esimId, [line.id]);
      // The profile that was to take its place, if it was being replaced.
      for (const held of await findRows(tx, 'esimProfile', { heldFor: line.id }))
        await takeBackEsim(tx, held.id, [line.id]);
      if (item) await completeEnd(tx, item, line);
    });
  },
};

const quarantine: StepDefinition = {
  flow: 'number',
  step: 'end_quarantine',
  summary: 'Put a number back on sale after its quarantine',
  async run(context) {
    await context.finish('number.end_quarantine', (tx) => endQuarantine(tx, text(context.step.subject) ?? ''));
  },
};

export const subscriptionSteps: readonly StepDefinition[] = [renew, expire, terminateUnpaid, releaseLine, quarantine];
