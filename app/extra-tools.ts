import { z } from 'zod';
import type { Mail } from '../adapters/mail.ts';
import type { Network } from '../adapters/network.ts';
import { RequestRefused } from '../adapters/outcome.ts';
import type { SandboxCardGateway } from '../adapters/sandbox/card-gateway/sandbox-card-gateway.ts';
import { cardGatewayPlan, gatewayOperation, totals } from '../adapters/sandbox/card-gateway/wire.ts';
import { type Mailbox, mailboxEntry } from '../adapters/sandbox/mail/mailbox.ts';
import { isSandboxNetwork, type SandboxNetwork } from '../adapters/sandbox/network/sandbox-network.ts';
import { networkLine, networkPlan } from '../adapters/sandbox/network/wire.ts';
import type { Caller } from '../kernel/caller.ts';
import type { MachineClock } from '../kernel/clock.ts';
import { conflict, invalid, notFound } from '../kernel/error.ts';
import { fromWireMoney } from '../kernel/money.ts';
import { execute, type Policy } from '../policy/core/command.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { hubSecret } from '../policy/notification/signature.ts';
import { receiveGatewayEvent } from '../policy/payment/gateway-event.ts';
import { makeDeskLink } from '../policy/session/desk.ts';
import { type Books, booksShape, checkBooks } from '../read/views/books.ts';
import { advanceClock, bindExtra, type ExtraTool } from '../tools/extra.ts';
import type { Tool } from '../tools/registry.ts';
import { advanceTo } from '../workers/clock-mover.ts';
import type { Worker } from '../workers/worker.ts';

const planned = z.looseObject({ id: z.string() });

const planNetworkFault: ExtraTool<z.infer<typeof networkPlan>, z.infer<typeof planned>> = {
  name: 'network.plan_fault',
  summary: 'Tell the sandbox network to fail, refuse or stall',
  audience: ['operator'],
  effect: 'write',
  input: networkPlan,
  output: planned,
  positional: ['mode'],
  examples: ['bss network plan-fault refuse --times 1 --permanent'],
};

const planCardGatewayFault: ExtraTool<z.infer<typeof cardGatewayPlan>, z.infer<typeof planned>> = {
  name: 'card_gateway.plan_fault',
  summary: 'Tell the sandbox card gateway to fail, decline or stall',
  audience: ['operator'],
  effect: 'write',
  input: cardGatewayPlan,
  output: planned,
  positional: ['mode'],
  examples: ['bss card-gateway plan-fault decline_capture --times 1'],
};

const clearFaults: ExtraTool<Record<string, never>, { cleared: boolean }> = {
  name: 'sandbox.clear_faults',
  summary: 'Forget all planned faults of both sandboxes',
  audience: ['operator'],
  effect: 'write',
  input: z.strictObject({}),
  output: z.object({ cleared: z.boolean() }),
  examples: ['bss sandbox clear-faults'],
};

const gatewayTotals = z.object({ totals: totals.describe('By currency, in minor units; never empty') });

const showGatewayTotals: ExtraTool<Record<string, never>, z.infer<typeof gatewayTotals>> = {
  name: 'card_gateway.totals',
  summary: 'Sum up the sandbox card gateway’s own book',
  audience: ['operator'],
  effect: 'read',
  input: z.strictObject({}),
  output: gatewayTotals,
  examples: ['bss card-gateway totals'],
};

const findInput = z.strictObject({
  key: z.string().min(1).max(255).describe('The key of the attempt: a payment’s correlator and its step'),
});
const foundOperation = z.object({ operation: gatewayOperation.nullable() });

const findGatewayOperation: ExtraTool<z.infer<typeof findInput>, z.infer<typeof foundOperation>> = {
  name: 'card_gateway.find',
  summary: 'Ask the card gateway what became of an attempt',
  audience: ['operator'],
  effect: 'read',
  input: findInput,
  output: foundOperation,
  positional: ['key'],
  examples: ['bss card-gateway find order_item:itm_…:capture:1'],
};

const lineInput = z.strictObject({ serviceId: z.string().min(1).max(255).describe('The line’s service') });
const foundLine = z.object({ line: networkLine.nullable().describe('Null: the network never had it') });

const showNetworkLine: ExtraTool<z.infer<typeof lineInput>, z.infer<typeof foundLine>> = {
  name: 'network.line',
  summary: 'Ask the network what it believes about a line',
  audience: ['operator'],
  effect: 'read',
  input: lineInput,
  output: foundLine,
  positional: ['serviceId'],
  examples: ['bss network line svc_…'],
};

const hubSecretInput = z.strictObject({ hub: z.string().min(1).max(255) });
const hubSecretShape = z.object({
  hub: z.string(),
  secret: z.string().describe('Hexadecimal text; used as it stands'),
});

const showHubSecret: ExtraTool<z.infer<typeof hubSecretInput>, z.infer<typeof hubSecretShape>> = {
  name: 'hub.secret',
  summary: 'Show what the events for a subscriber are signed with',
  audience: ['operator'],
  effect: 'read',
  input: hubSecretInput,
  output: hubSecretShape,
  positional: ['hub'],
  examples: ['bss hub secret hub_01k9'],
};

const mailListInput = z.strictObject({
  to: z.string().min(1).max(254).optional().describe('Only what went to this address'),
  limit: z.number().int().min(1).max(100).default(20).describe('How many at most'),
});
const mailList = z.object({
  items: z.array(mailboxEntry.pick({ key: true, to: true, subject: true }).extend({ at: z.string() })),
});

const listMail: ExtraTool<z.infer<typeof mailListInput>, z.infer<typeof mailList>> = {
  name: 'mail.list',
  summary: 'List what the development mailbox holds, newest first',
  audience: ['operator'],
  effect: 'read',
  input: mailListInput,
  output: mailList,
  examples: ['bss mail list', 'bss mail list --to ada@example.com'],
};

const mailShowInput = z.strictObject({ key: z.string().min(1).max(255).describe('As the list has it') });
const shownMail = mailboxEntry.extend({ at: z.string() });

const showMail: ExtraTool<z.infer<typeof mailShowInput>, z.infer<typeof shownMail>> = {
  name: 'mail.show',
  summary: 'Show a message of the development mailbox',
  audience: ['operator'],
  effect: 'read',
  input: mailShowInput,
  output: shownMail,
  positional: ['key'],
  examples: ['bss mail show notice:receipt:bil_…'],
};

const chargebackInput = z.strictObject({
  paymentId: z.string().min(1).max(255).describe('The payment whose money the bank takes back'),
  amount: z
    .number()
    .positive()
    .optional()
    .describe('How much, in units of its currency; all that is left, when not given'),
});
const startedChargeback = z.object({ key: z.string(), paymentId: z.string(), message: z.string() });

const startChargeback: ExtraTool<z.infer<typeof chargebackInput>, z.infer<typeof startedChargeback>> = {
  name: 'card_gateway.charge_back',
  summary: 'Have the sandbox bank take captured money back',
  audience: ['operator'],
  effect: 'write',
  input: chargebackInput,
  output: startedChargeback,
  positional: ['paymentId', 'amount'],
  examples: ['bss card-gateway charge-back pay_…', 'bss card-gateway charge-back pay_… 5'],
};

const closeDisputeInput = z.strictObject({
  key: z.string().min(1).max(255).describe('The chargeback, as its case names it'),
  ended: z.enum(['won', 'lost']).describe('For whom it was decided: won is for us'),
});
const closedDispute = z.object({ key: z.string(), ended: z.string() });

const closeDispute: ExtraTool<z.infer<typeof closeDisputeInput>, z.infer<typeof closedDispute>> = {
  name: 'card_gateway.close_dispute',
  summary: 'Have the sandbox bank decide about a chargeback',
  audience: ['operator'],
  effect: 'write',
  input: closeDisputeInput,
  output: closedDispute,
  positional: ['key', 'ended'],
  examples: ['bss card-gateway close-dispute chargeback_… won'],
};

const checkBooksTool: ExtraTool<Record<string, never>, Books> = {
  name: 'books.check',
  summary: 'Compare payments, bills and quota with each other and with the card gateway’s own book',
  audience: ['operator'],
  effect: 'read',
  input: z.strictObject({}),
  output: booksShape,
  examples: ['bss books check'],
};

const deskLink = z.object({
  url: z.string().describe('Opens the pages once; shown this once'),
  expiresAt: z.iso.datetime(),
});

const openDesk: ExtraTool<Record<string, never>, z.infer<typeof deskLink>> = {
  name: 'session.open_desk',
  summary: 'Make a link that opens the operators’ pages in a browser, once, within ten minutes',
  audience: ['operator'],
  effect: 'write',
  input: z.strictObject({}),
  output: deskLink,
  examples: ['bss desk'],
};

/** What workers carry out, or only a sandbox has, or needs the address of the server. */
// biome-ignore lint/suspicious/noExplicitAny: a heterogeneous list has no common type but this
export const extraDefinitions: readonly ExtraTool<any, any>[] = [
  advanceClock,
  planNetworkFault,
  planCardGatewayFault,
  clearFaults,
  showGatewayTotals,
  findGatewayOperation,
  showNetworkLine,
  showHubSecret,
  listMail,
  showMail,
  startChargeback,
  closeDispute,
  checkBooksTool,
  openDesk,
];

export interface ExtraParts {
  readonly policy: Policy;
  readonly worker: Worker;
  readonly clock: MachineClock;
  /** None where cards are real. */
  readonly gateway: SandboxCardGateway | undefined;
  readonly network: Network;
  readonly signingSecret: string;
  readonly mail: Mail;
  /** Read when a link is made: with port 0 it is known late. */
  readonly publicUrl: string;
}

export function bindExtras(parts: ExtraParts): Tool[] {
  const { policy, worker, clock, gateway, network, signingSecret, mail } = parts;
  // The sandbox has no address to call: it gives notice here, in the shape in which a real gateway's notice is kept.
  const tell = (id: string, type: string, gatewayReference: string, caller: Caller) =>
    execute(policy, receiveGatewayEvent, { id, type, gatewayReference }, caller);
  return [
    bindExtra(advanceClock, async (input, caller) => {
      const [row] = await runStatement<{ now: Date }>(policy.pool, 'SELECT business_now() AS now', []);
      const from = row?.now ?? clock.now();
      const milliseconds = (input.days ?? 0) * 86_400_000 + (input.hours ?? 0) * 3_600_000;
      const to = input.to === undefined ? new Date(from.getTime() + milliseconds) : new Date(input.to);
      return { from: from.toISOString(), ...(await advanceTo(policy, worker, clock, to, caller)) };
    }),
    bindExtra(planNetworkFault, (input) => sandboxNetworkOf(network).plan(input)),
    bindExtra(planCardGatewayFault, (input) => sandboxOf(gateway).plan(input)),
    bindExtra(showGatewayTotals, async () => {
      const summed = await sandboxOf(gateway).totals();
      const none = { currency: policy.settings.currency, capturedMinor: 0, refundedMinor: 0, chargedBackMinor: 0 };
      return { totals: summed.length > 0 ? summed : [none] };
    }),
    bindExtra(findGatewayOperation, async ({ key }) => ({
      operation: (await policy.outside.gateway.find(key)) ?? null,
    })),
    bindExtra(showNetworkLine, async ({ serviceId }) => ({ line: (await network.line(serviceId)) ?? null })),
    bindExtra(showHubSecret, async ({ hub }) => {
      const found = await runStatement(policy.pool, 'SELECT "id" FROM "hub" WHERE "id" = $1', [hub]);
      if (found.length === 0) throw notFound('hub', hub);
      return { hub, secret: hubSecret(signingSecret, hub) };
    }),
    bindExtra(listMail, async (filter) => {
      const found = await mailboxOf(mail).messages({ limit: filter.limit, ...(filter.to ? { to: filter.to } : {}) });
      return { items: found.map(({ key, to, subject, at }) => ({ key, to, subject, at: at.toISOString() })) };
    }),
    bindExtra(showMail, async ({ key }) => {
      const found = await mailboxOf(mail).find(key);
      if (!found) throw notFound('mail', key);
      return { ...found, at: found.at.toISOString() };
    }),
    bindExtra(startChargeback, async ({ paymentId, amount }, caller) => {
      const sandbox = sandboxOf(gateway);
      const [payment] = await runStatement<{ gatewayReference: string | null; currency: string | null }>(
        policy.pool,
        'SELECT "gateway_reference", "currency" FROM "payment" WHERE "id" = $1',
        [paymentId],
      );
      if (!payment) throw notFound('payment', paymentId);
      const reference = payment.gatewayReference ?? '';
      const unit = payment.currency ?? policy.settings.currency;
      const money = amount === undefined ? undefined : fromWireMoney({ unit, value: amount });
      if (amount !== undefined && money === undefined) {
        throw invalid(`amount: ${unit} cannot express it.`, [
          { field: 'amount', rule: 'is finer than the currency', remedy: 'Give an amount of whole minor units.' },
        ]);
      }
      const { key, message } = await refusedAsConflict(() => sandbox.chargeback(reference, money?.amountMinor));
      await tell(`${key}:created`, 'chargeback.created', reference, caller);
      return { key, paymentId, message };
    }),
    bindExtra(closeDispute, async ({ key, ended }, caller) => {
      const { gatewayReference } = await refusedAsConflict(() => sandboxOf(gateway).closeChargeback(key, ended));
      await tell(`${key}:closed`, 'chargeback.closed', gatewayReference, caller);
      return { key, ended };
    }),
    bindExtra(checkBooksTool, () => checkBooks(policy.pool, policy.outside.gateway)),
    bindExtra(openDesk, async (_input, caller) => {
      const { path, expiresAt } = await execute(policy, makeDeskLink, {}, caller);
      return { url: `${parts.publicUrl}${path}`, expiresAt };
    }),
    bindExtra(clearFaults, async () => {
      await gateway?.clearPlans();
      if (isSandboxNetwork(network)) await network.clearPlans();
      return { cleared: true };
    }),
  ];
}

function sandboxOf(gateway: SandboxCardGateway | undefined): SandboxCardGateway {
  if (gateway) return gateway;
  throw conflict('card_gateway.not_a_sandbox', 'Cards are real here: what only the sandbox can play is not to be had.');
}

async function refusedAsConflict<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof RequestRefused) throw conflict('card_gateway.refused', error.message);
    throw error;
  }
}

function sandboxNetworkOf(network: Network): SandboxNetwork {
  if (isSandboxNetwork(network)) return network;
  throw conflict('network.not_sandbox', 'A real network has no planned faults.');
}

function mailboxOf(mail: Mail): Mailbox {
  if (isMailbox(mail)) return mail;
  throw conflict(
    'mail.not_kept',
    'Mail goes out by SMTP here, and nothing of it is kept. See the interactions of the customer.',
  );
}

const isMailbox = (mail: Mail): mail is Mailbox => mail.kind === 'mailbox';
