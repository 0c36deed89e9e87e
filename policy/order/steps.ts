import type { Authorisation } from '../../adapters/card-gateway.ts';
import { type StepContext, type StepDefinition, schedule, TryLater } from '../core/flow.ts';
import { refs, text } from '../core/party.ts';
import { documentOf, lockResource, saveResource } from '../core/resource.ts';
import { findRow, findRows, getRow, updateRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { customerResource } from '../customer/resource.ts';
import { logInteraction } from '../interaction/commands.ts';
import {
  assignNumber,
  deleteEsim,
  handOutEsim,
  releaseNumber,
  reserveEsim,
  reserveNumber,
  setAsideNumber,
  takeBackEsim,
} from '../inventory/inventory.ts';
import { tell } from '../notice/notice.ts';
import {
  askAuthorisation,
  askCapture,
  askRefund,
  askRelease,
  askVoid,
  attemptPayment,
  capturedReference,
  lockPayment,
  type PaymentRow,
  recordAuthorisation,
  recordCapture,
  recordCaptureFailure,
  recordReauthorisation,
  recordRefund,
  recordVoid,
  tokenOf,
} from '../payment/payment.ts';
import {
  beginNextPlan,
  changeLine,
  createLine,
  equipLine,
  grantBuckets,
  kindsOf,
  lockLine,
  openPeriod,
  orderNetwork,
  resume,
  type Then,
  terminateLine,
  termsOf,
  vasExpiry,
} from '../subscription/line.ts';
import { createLineServices, endServiceOrder, lineServiceResource } from '../subscription/provision.ts';
import { afterCancel, endCancellation } from './cancel.ts';
import { finalItemStates, type Item, lockItem, moveItem, refusalNote } from './progress.ts';

const flow = 'order';

function follow(
  tx: Tx,
  item: Item,
  step: string,
  input: Record<string, string | number> = {},
  dueAt?: Date,
): Promise<void> {
  const suffix = Object.values(input).join(':');
  return schedule(tx, {
    flow,
    subject: item.id,
    step,
    key: `order:${item.id}:${step}${suffix ? `:${suffix}` : ''}`,
    input,
    ...(dueAt ? { dueAt } : {}),
  });
}

async function fail(tx: Tx, item: Item, code: string, sentence: string): Promise<void> {
  if (finalItemStates.includes(item.state)) return;
  await moveItem(tx, item, 'fail', {}, { note: refusalNote(tx, code, sentence) });
  // A line that was asked for as a product is there before it has anything to take down.
  if (isNewLine(item) && item.subscriptionId) await terminateLine(tx, item.subscriptionId);
  await tell(tx, { kind: 'order_failed', subject: item.id, input: { sentence } });
}

/** A plan whose line has no service yet: nothing of it is reserved. */
const isNewLine = (item: Item) => item.action === 'add' && termsOf(item).kind === 'plan' && item.serviceId === null;

/** What is asked of the card: how often an authorisation had to be made again. */
function roundOf(context: StepContext): number {
  const { round } = context.step.input;
  return typeof round === 'number' ? round : 1;
}

async function reject(context: StepContext, code: string, sentence: string): Promise<void> {
  await context.finish('payment.record_denial', async (tx) => {
    await fail(tx, await lockItem(tx, context.step.subject), code, sentence);
  });
}

/** A change of plan has nothing to do before the renewal: its item waits for it, and the renewal fulfils it. */
const awaitRenewal: StepDefinition = {
  flow,
  step: 'await_renewal',
  summary: 'Wait for the renewal that begins the new plan',
  async run(context) {
    await context.finish('product_order.wait', async (tx) => {
      const item = await lockItem(tx, context.step.subject);
      if (item.state === 'cancelled') await afterCancel(tx, item);
      // The boundary may have come first.
      if (item.state === 'acknowledged') await moveItem(tx, item, 'wait');
    });
  },
};

/** 1. Hold the money. Nothing is reserved and nobody is served before it. */
const authorise: StepDefinition = {
  flow,
  step: 'authorise',
  summary: 'Authorise the card',
  async run(context) {
    const begun = await context.during('payment.attempt', async (tx) => {
      const item = await lockItem(tx, context.step.subject);
      if (item.state === 'cancelled') return undefined;
      const charge = await attemptPayment(tx, {
        factKey: `order_item:${item.id}`,
        purpose: 'order_item',
        customerId: item.customerId,
        amountMinor: item.amountMinor,
        currency: item.currency,
        taxRate: item.taxRate,
        name: termsOf(item).name,
        productOrderId: item.productOrderId,
        ...(item.subscriptionId ? { subscriptionId: item.subscriptionId } : {}),
      });
      if (item.state === 'acknowledged') {
        await moveItem(tx, item, 'start', { paymentId: charge.id }, { payment: refs.payment(charge.id) });
      }
      return { payment: charge, token: await tokenOf(tx, charge) };
    });
    if (!begun) {
      await context.finish('product_order.cancel', async (tx) =>
        afterCancel(tx, await lockItem(tx, context.step.subject)),
      );
      return;
    }
    const { payment, token } = begun;
    if (payment.state === 'denied') {
      await reject(
        context,
        payment.failureReason ?? 'order.requires_card_on_file',
        'There is no card on file to charge.',
      );
      return;
    }
    await authoriseRound(context, payment, token);
  },
};

async function authoriseRound(context: StepContext, payment: PaymentRow, token: string | undefined): Promise<void> {
  const round = roundOf(context);
  const asked = await askAuthorisation(context.outside.gateway, payment, token, round, context.step.attempts > 1);
  const answer = asked.outcome === 'requires_action' ? await waitForCustomer(context, payment, asked) : asked;
  await context.finish('payment.record_authorisation', async (tx) => {
    const item = await lockItem(tx, context.step.subject);
    await recordAuthorisation(tx, payment.id, answer);
    if (item.state === 'cancelled') {
      await afterCancel(tx, item);
      return;
    }
    if (answer.outcome === 'declined') {
      if (item.subscriptionId && termsOf(item).kind === 'plan')
        await undo(tx, item, 'payment.declined', answer.message);
      else await fail(tx, item, 'payment.declined', `The card was declined: ${answer.message}`);
      return;
    }
    const running = item.state === 'held' ? await moveItem(tx, item, 'start') : item;
    if (isNewLine(item)) await follow(tx, running, 'provision');
    else await follow(tx, running, 'capture', { round });
  });
}

type NeedsCustomer = Extract<Authorisation, { outcome: 'requires_action' }>;

/**
 * A payment that needs the customer holds the order until they act or the time runs out. Then it counts as declined,
 * and the gateway is told, so that a customer who confirms late holds no money for an order that failed.
 */
async function waitForCustomer(
  context: StepContext,
  payment: PaymentRow,
  asked: NeedsCustomer,
): Promise<Extract<Authorisation, { outcome: 'declined' }>> {
  const expired = await context.during('product_order.hold', async (tx) => {
    const item = await lockItem(tx, context.step.subject);
    if (item.state === 'inProgress') {
      const sentence = `The card's bank asks the customer to confirm: ${asked.url}`;
      await moveItem(tx, item, 'hold', {}, { note: refusalNote(tx, 'payment.needs_customer', sentence) });
    }
    const [wait] = await tx.sql<{
      late: boolean;
    }>`SELECT ${tx.now}::timestamptz > ${context.step.dueAt}::timestamptz + make_interval(mins => ${tx.settings.actionTimeoutMinutes}) AS late`;
    return wait?.late === true || item.state === 'cancelled';
  });
  if (!expired) throw new TryLater('waiting for the customer to confirm the payment');
  const { gatewayReference } = asked;
  await askVoid(context.outside.gateway, { ...payment, gatewayReference });
  return {
    outcome: 'declined',
    gatewayReference,
    code: 'not_confirmed',
    message: 'The payment was not confirmed in time.',
  };
}

/** 2. Reserve number and eSIM, write line, services and service order, and have the network prepare it, inactive. */
const provision: StepDefinition = {
  flow,
  step: 'provision',
  summary: 'Reserve and provision',
  async run(context) {
    await context.finish('service_order.provision', async (tx) => {
      const item = await lockItem(tx, context.step.subject);
      if (item.state === 'cancelled') {
        await afterCancel(tx, item);
        return;
      }
      const number = await reserveNumber(tx, item.id, item.msisdn ?? undefined);
      const esim = number ? await reserveEsim(tx, item.id) : undefined;
      if (!number || !esim) {
        if (number) await releaseNumber(tx, number.msisdn, [item.id]);
        await updateRows(tx, 'orderItem', { id: item.id }, { msisdn: null });
        await fail(tx, item, 'order.number_and_esim_in_stock', 'No number or eSIM profile is left.');
        await follow(tx, item, 'void', { reason: 'out of stock' });
        return;
      }
      const customer = await getRow(tx, 'customer', { id: item.customerId });
      const ids = {
        subscriptionId: item.subscriptionId ?? tx.newId('sub'),
        serviceId: tx.newId('svc'),
        serviceOrderId: tx.newId('so'),
      };
      await createLineServices(tx, {
        ...ids,
        productOrderId: item.productOrderId,
        itemId: item.itemId,
        customerId: item.customerId,
        msisdn: number.msisdn,
        esim,
        planName: termsOf(item).name,
      });
      const equipment = { serviceId: ids.serviceId, msisdn: number.msisdn, esimId: esim.id };
      if (item.subscriptionId) await equipLine(tx, item.subscriptionId, equipment);
      else
        await createLine(tx, {
          id: ids.subscriptionId,
          customerId: item.customerId,
          customerName: customer.name,
          terms: termsOf(item),
          equipment,
          productOrderId: item.productOrderId,
          itemId: item.itemId,
        });
      await updateRows(tx, 'orderItem', { id: item.id }, { ...ids, msisdn: number.msisdn, esimId: esim.id });
      await orderNetwork(tx, ids.subscriptionId, answered(item, 'capture', 'provision_refused'));
    });
  },
};

const answered = (item: Item, confirmed: string, refused: string): Then => ({
  flow,
  subject: item.id,
  confirmed,
  refused,
});

/** 3. Take the money, now that the network is ready; a top-up has nothing to prepare and is granted with it. */
const capture: StepDefinition = {
  flow,
  step: 'capture',
  summary: 'Capture the payment',
  async run(context) {
    const payment = await context.during('payment.read', async (tx) => {
      const item = await lockItem(tx, context.step.subject);
      // Once this step was begun an order is not cancelled any more: see cancel.ts.
      return item.state === 'cancelled' ? undefined : lockPayment(tx, item.paymentId ?? '');
    });
    if (!payment) {
      await context.finish('product_order.cancel', async (tx) =>
        afterCancel(tx, await lockItem(tx, context.step.subject)),
      );
      return;
    }
    const round = roundOf(context);
    const answer = await askCapture(context.outside.gateway, payment, round, context.step.attempts > 1);
    if (answer.outcome === 'expired') {
      await context.finish('payment.reauthorise', async (tx) => {
        await recordReauthorisation(tx, payment.id);
        await follow(tx, await lockItem(tx, context.step.subject), 'authorise', { round: round + 1 });
      });
      return;
    }
    // What was held and could not be taken is let go, not left to run out on the customer's card.
    if (answer.outcome === 'failed') await askVoid(context.outside.gateway, payment);
    await context.finish(
      answer.outcome === 'captured' ? 'payment.record_capture' : 'payment.record_failure',
      async (tx) => {
        const item = await lockItem(tx, context.step.subject);
        if (answer.outcome === 'failed') {
          await recordCaptureFailure(tx, payment.id, answer.code, answer.message);
          if (termsOf(item).kind === 'plan') await undo(tx, item, 'payment.capture_failed', answer.message);
          else await fail(tx, item, 'payment.capture_failed', `The payment could not be taken: ${answer.message}`);
          return;
        }
        await recordCapture(tx, payment.id, { name: termsOf(item).name, subscriptionId: item.subscriptionId });
        if (termsOf(item).kind === 'plan') await enable(tx, item);
        else await grantTopUp(tx, item, payment.id);
      },
    );
  },
};

/** 4. Paid for: the network switches the line on, and the line follows its confirmation. */
async function enable(tx: Tx, item: Item): Promise<void> {
  const line = await lockLine(tx, item.subscriptionId ?? '');
  await updateRows(tx, 'subscription', { id: line.id }, { enabling: true });
  await orderNetwork(tx, line.id, answered(item, 'complete', 'enable_refused'));
}

async function grantTopUp(tx: Tx, item: Item, paymentId: string): Promise<void> {
  const terms = termsOf(item);
  const line = await lockLine(tx, item.subscriptionId ?? '');
  if (line.state === 'terminated') {
    // The line ended while the card was asked: the money goes back.
    await follow(tx, item, 'refund', { reason: 'the line ended' });
    return;
  }
  if (terms.kind === 'period') {
    if (!line.blockReasons.includes('unpaid')) {
      // Its boundary came while the card was asked, and its renewal was paid: a second period would be money for nothing.
      await follow(tx, item, 'refund', { reason: 'the line was paid for meanwhile' });
      return;
    }
    await beginNextPlan(tx, line.id);
    const opened = await openPeriod(tx, line.id, {
      number: line.periodNumber + 1,
      anchorAt: tx.now,
      monthsFromAnchor: 0,
      startsAt: tx.now,
      paymentId,
    });
    await resume(tx, line.id, ['unpaid', 'exhausted'], kindsOf(termsOf(opened)));
  } else {
    await grantBuckets(tx, line, terms, {
      source: 'vas',
      paymentId,
      periodNumber: line.periodNumber,
      expiresAt: vasExpiry(tx, terms),
    });
    const kinds = kindsOf(terms);
    // A top-up restores only what it tops up.
    await resume(tx, line.id, kinds.includes('data') ? ['exhausted'] : [], kinds);
  }
  await moveItem(tx, item, 'complete', {}, { product: refs.product(line.id) });
  await logInteraction(tx, {
    customerId: item.customerId,
    channel: tx.caller.surface,
    direction: 'inbound',
    reason: 'top-up',
    description: `${terms.name} bought for ${line.msisdn}`,
  });
}

/** 5. The network confirmed: the line is active with its quota, everything that was under way is finished. */
const complete: StepDefinition = {
  flow,
  step: 'complete',
  summary: 'Activate the line',
  async run(context) {
    await context.finish('subscription.activate', async (tx) => {
      const item = await lockItem(tx, context.step.subject);
      if (finalItemStates.includes(item.state)) return;
      const line = await lockLine(tx, item.subscriptionId ?? '');
      if (!line.msisdn || !line.esimId || !item.paymentId)
        throw new Error(`line ${line.id} lacks number, eSIM or payment`);
      await assignNumber(tx, line.msisdn, line.id);
      await handOutEsim(tx, line.esimId, line.id);
      await changeLine(tx, line, { state: 'active', blockReasons: [] });
      await openPeriod(tx, line.id, {
        number: 1,
        anchorAt: tx.now,
        monthsFromAnchor: 0,
        startsAt: tx.now,
        paymentId: item.paymentId,
      });
      await startServices(tx, line.id);
      await endServiceOrder(tx, item.serviceOrderId, 'completed');
      await activateCustomer(tx, line.customerId);
      await moveItem(tx, item, 'complete', {}, { product: refs.product(line.id) });
      await logInteraction(tx, {
        customerId: line.customerId,
        channel: tx.caller.surface,
        direction: 'inbound',
        reason: 'activation',
        description: `${termsOf(item).name} activated on ${line.msisdn}`,
      });
    });
  },
};

async function startServices(tx: Tx, lineId: string): Promise<void> {
  for (const service of await findRows(tx, 'service', { subscriptionId: lineId }, true)) {
    const document = documentOf(service);
    const started = { ...document, hasStarted: true, startDate: tx.now.toISOString() };
    await saveResource(tx, lineServiceResource, { ...service, document }, started);
  }
}

async function activateCustomer(tx: Tx, customerId: string): Promise<void> {
  const customer = await lockResource(tx, customerResource, customerId);
  if (text(customer.document.status) === 'initialized') {
    await saveResource(tx, customerResource, customer, { ...customer.document, status: 'active' });
  }
}

// ---- compensation: no money without service, no service without money, nothing left reserved ----

/**
 * Takes a line that never was active down again. Number and eSIM go back once the network has let go of them, so that
 * neither is sold while it still serves.
 */
async function undo(tx: Tx, item: Item, code: string, sentence: string): Promise<void> {
  await fail(tx, item, code, sentence);
  await endServiceOrder(tx, item.serviceOrderId, 'failed', sentence);
  if (item.subscriptionId) {
    await updateRows(tx, 'subscription', { id: item.subscriptionId }, { enabling: false });
    await terminateLine(tx, item.subscriptionId, answered(item, 'release', 'release'));
  }
}

const release: StepDefinition = {
  flow,
  step: 'release',
  summary: 'Return number and eSIM',
  async run(context) {
    await context.finish('inventory.release', async (tx) => {
      const item = await lockItem(tx, context.step.subject);
      const holder = [item.id, item.subscriptionId];
      if (item.msisdn) await releaseNumber(tx, item.msisdn, holder);
      if (item.esimId) await takeBackEsim(tx, item.esimId, holder);
      await endCancellation(tx, item.productOrderId);
    });
  },
};

/** The network would not prepare the line: the held money is let go. */
const provisionRefused: StepDefinition = {
  flow,
  step: 'provision_refused',
  summary: 'Void the authorisation',
  async run(context) {
    await context.finish('service_order.fail', async (tx) => {
      const item = await lockItem(tx, context.step.subject);
      if (item.state === 'cancelled') {
        await afterCancel(tx, item);
        return;
      }
      const reason = text(context.step.input.reason) ?? 'The network could not provision the line.';
      // The network knows of a line that we do not, as it does after a restore. What that line has is not sold to the next.
      if (reason.startsWith('number_in_use') && item.msisdn) await setAsideNumber(tx, item.msisdn, [item.id]);
      if (reason.startsWith('profile_in_use') && item.esimId) await deleteEsim(tx, item.esimId, [item.id]);
      await undo(tx, item, 'order.provisioning_failed', reason);
      await follow(tx, item, 'void', { reason: 'provisioning failed' });
    });
  },
};

const isOpen = ({ state }: PaymentRow): boolean => state === 'authorized' || state === 'pendingAuthorization';

const voidAuthorisation: StepDefinition = {
  flow,
  step: 'void',
  summary: 'Let the held money go',
  async run(context) {
    const payment = await context.during('payment.read', async (tx) => {
      const item = await getRow(tx, 'orderItem', { id: context.step.subject });
      return findRow(tx, 'payment', { id: item.paymentId ?? '' });
    });
    const taken = payment && isOpen(payment) ? await capturedReference(context.outside.gateway, payment) : undefined;
    if (payment && taken !== undefined) {
      // Taken after all, before a restore or by somebody at the gateway. What was taken has its receipt, and goes back.
      await context.finish('payment.record_capture', async (tx) => {
        const item = await lockItem(tx, context.step.subject);
        await recordAuthorisation(tx, payment.id, {
          outcome: 'authorised',
          gatewayReference: taken,
          expiresAt: tx.now,
        });
        await recordCapture(tx, payment.id, { name: termsOf(item).name, subscriptionId: item.subscriptionId });
        await follow(tx, item, 'refund', { reason: text(context.step.input.reason) ?? 'voided' });
      });
      return;
    }
    if (payment) await askRelease(context.outside.gateway, payment);
    await context.finish('payment.record_void', async (tx) => {
      const item = await lockItem(tx, context.step.subject);
      if (payment) await recordVoid(tx, payment.id, text(context.step.input.reason) ?? 'voided');
      await endCancellation(tx, item.productOrderId);
    });
  },
};

/** The network would not enable a line that was paid for: the money goes back. */
const enableRefused: StepDefinition = {
  flow,
  step: 'enable_refused',
  summary: 'Undo a paid line',
  async run(context) {
    await context.finish('service_order.fail', async (tx) => {
      const item = await lockItem(tx, context.step.subject);
      await undo(
        tx,
        item,
        'order.enabling_failed',
        text(context.step.input.reason) ?? 'The network could not enable the line.',
      );
      await follow(tx, item, 'refund', { reason: 'enabling failed' });
    });
  },
};

const refund: StepDefinition = {
  flow,
  step: 'refund',
  summary: 'Give the money back',
  async run(context) {
    const payment = await context.during('payment.read', async (tx) => {
      const item = await getRow(tx, 'orderItem', { id: context.step.subject });
      return lockPayment(tx, item.paymentId ?? '');
    });
    const reason = text(context.step.input.reason) ?? 'refunded';
    const answer = await askRefund(context.outside.gateway, payment);
    if (answer.outcome === 'failed') throw new TryLater(`the gateway would not refund: ${answer.code}`);
    await context.finish('payment.record_refund', async (tx) => {
      const item = await lockItem(tx, context.step.subject);
      if (answer.outcome === 'refunded') await recordRefund(tx, payment.id, answer, reason);
      const words = answer.outcome === 'refunded' ? 'was given back' : 'had been taken back by the card’s bank';
      await fail(tx, item, 'order.refunded', `The payment ${words}: ${reason}.`);
      await endCancellation(tx, item.productOrderId);
    });
  },
};

export const orderSteps: readonly StepDefinition[] = [
  awaitRenewal,
  authorise,
  provision,
  capture,
  complete,
  release,
  provisionRefused,
  voidAuthorisation,
  enableRefused,
  refund,
];
