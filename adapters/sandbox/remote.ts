import { z } from 'zod';
import { OutcomeUnknown, RequestRefused, requestRefusedCodes } from '../outcome.ts';
import type { SandboxCardGateway } from './card-gateway/sandbox-card-gateway.ts';
import * as cardWire from './card-gateway/wire.ts';
import { type Mailbox, mailboxEntry } from './mail/mailbox.ts';
import type { SandboxNetwork } from './network/sandbox-network.ts';
import * as networkWire from './network/wire.ts';

export interface RemoteOptions {
  /** How long a call waits for its answer before it counts as unknown; 10 seconds unless told. */
  timeoutMs?: number;
}

const pageSize = 500;
const nothing = z.undefined().optional();

/** The card sandbox that runs as a process of its own at `url`. Closing it leaves that process alone. */
export function remoteCardGateway(url: string, secret: string, options: RemoteOptions = {}): SandboxCardGateway {
  const call = callerOf(`${url}/card-gateway`, secret, options);
  return {
    kind: 'sandbox',
    describeCard: (token) => call('describe-card', { token }, cardWire.cardFacts.optional()),
    authorise: (request) => call('authorise', request, cardWire.authorisation, request.key),
    capture: (request) => call('capture', request, cardWire.capture, request.key),
    void: (request) => call('void', request, cardWire.voidAnswer, request.key),
    refund: (request) => call('refund', request, cardWire.refund, request.key),
    find: (key) => call('find', { key }, cardWire.gatewayOperation.optional(), key),
    operations: (gatewayReference) => call('operations', { gatewayReference }, z.array(cardWire.gatewayOperation)),
    book: (after) =>
      pages(after, (from) => call('book', { after: from, limit: pageSize }, z.array(cardWire.gatewayOperation))),
    tokenise: (form) => call('tokenise', form, cardWire.tokenised),
    completeAction: (gatewayReference, decision) =>
      call('complete-action', { gatewayReference, decision }, cardWire.authorisation),
    chargeback: (gatewayReference, amountMinor) =>
      call('chargeback', { gatewayReference, amountMinor }, cardWire.startedChargeback),
    closeChargeback: (key, ended) => call('close-chargeback', { key, ended }, cardWire.chargeback),
    plan: (plan) => call('plan', plan, cardWire.plannedCardFault),
    plans: () => call('plans', {}, z.array(cardWire.plannedCardFault)),
    clearPlans: () => call('clear-plans', {}, nothing),
    totals: () => call('totals', {}, cardWire.totals),
    close: async () => undefined,
  };
}

/** The network sandbox that runs as a process of its own at `url`. Closing it leaves that process alone. */
export function remoteNetwork(url: string, secret: string, options: RemoteOptions = {}): SandboxNetwork {
  const call = callerOf(`${url}/network`, secret, options);
  return {
    kind: 'sandbox',
    apply: (task) => call('apply', task, networkWire.networkAnswer, task.key),
    find: (key) => call('find', { key }, networkWire.networkAnswer.optional(), key),
    line: (line) => call('line', { line }, networkWire.networkLine.optional()),
    book: (after) =>
      pages(after, (from) => call('book', { after: from, limit: pageSize }, z.array(networkWire.networkEntry))),
    plan: (plan) => call('plan', plan, networkWire.plannedNetworkFault),
    plans: () => call('plans', {}, z.array(networkWire.plannedNetworkFault)),
    clearPlans: () => call('clear-plans', {}, nothing),
    close: async () => undefined,
  };
}

/** The development mailbox that runs as a process of its own at `url`. Closing it leaves that process alone. */
export function remoteMailbox(url: string, secret: string, options: RemoteOptions = {}): Mailbox {
  const call = callerOf(`${url}/mail`, secret, options);
  return {
    kind: 'mailbox',
    send: (message) => call('send', message, nothing, message.key),
    messages: (filter = {}) => call('messages', filter, z.array(mailboxEntry)),
    find: (key) => call('find', { key }, mailboxEntry.optional(), key),
    close: async () => undefined,
  };
}

async function* pages<T extends { cursor: string }>(
  after: string | undefined,
  pageAfter: (after: string | undefined) => Promise<T[]>,
): AsyncIterable<T> {
  let from = after;
  for (;;) {
    const page = await pageAfter(from);
    yield* page;
    if (page.length < pageSize) return;
    from = page.at(-1)?.cursor;
  }
}

type Caller = <T>(call: string, body: object, answer: z.ZodType<T>, key?: string) => Promise<T>;

const refusal = z.object({ code: z.enum(requestRefusedCodes), message: z.string() });

/** Anything but a whole answer in the expected shape leaves the outcome unknown. */
function callerOf(base: string, secret: string, { timeoutMs = 10_000 }: RemoteOptions): Caller {
  return async (call, body, answer, key) => {
    let status: number;
    let received: unknown;
    try {
      const response = await fetch(`${base}/${call}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      status = response.status;
      received = await response.json();
    } catch (error) {
      throw new OutcomeUnknown(`No answer from the sandbox to ${call}.`, key, error);
    }
    if (status === 401 || status === 422) {
      const refused = refusal.safeParse(received);
      if (refused.success) throw new RequestRefused(refused.data.code, refused.data.message);
    }
    const parsed = z.object({ answer }).safeParse(received);
    if (status !== 200 || !parsed.success) {
      throw new OutcomeUnknown(`The sandbox gave no usable answer to ${call} (HTTP ${status}).`, key);
    }
    return parsed.data.answer;
  };
}
