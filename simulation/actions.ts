import { z } from 'zod';
import type { Caller } from '../kernel/caller.ts';
import type { JsonObject } from '../kernel/json.ts';
import { makeStatement } from '../policy/bill/on-demand.ts';
import { addCard, paymentMethodCommands } from '../policy/card/commands.ts';
import { exportJobCommands, importJobCommands } from '../policy/catalogue/jobs.ts';
import type { AnyDefinition, Policy } from '../policy/core/command.ts';
import { refs } from '../policy/core/party.ts';
import { registerCustomer } from '../policy/customer/commands.ts';
import { changeContact } from '../policy/customer/contact.ts';
import { retryFlow } from '../policy/flow/commands.ts';
import { loadEsims, loadNumbers } from '../policy/inventory/commands.ts';
import { cancelOrderCommand, cancelProductOrderCommands } from '../policy/order/cancel.ts';
import { changePlan, placeOrder, productOrderCommands, topUp } from '../policy/order/commands.ts';
import { endLine, withdrawLineEnd } from '../policy/order/end.ts';
import { receiveGatewayEvent } from '../policy/payment/gateway-event.ts';
import { refundPayment } from '../policy/payment/refund.ts';
import { cancelServiceOrder, serviceOrderCommands } from '../policy/service-order/commands.ts';
import { setAlert } from '../policy/subscription/alert.ts';
import { replaceEsim } from '../policy/subscription/esim.ts';
import { withdrawPlanChangeCommand } from '../policy/subscription/plan-change.ts';
import { portOut } from '../policy/subscription/port-out.ts';
import { setRoaming } from '../policy/subscription/roaming.ts';
import { moveTicket, noteTicket, openTicketCommand } from '../policy/ticket/commands.ts';
import { recordEntries, type UsageEntry } from '../policy/usage/charging.ts';
import { reportUsage } from '../policy/usage/commands.ts';
import { replayUsage } from '../policy/usage/quarantine.ts';
import { readUsage } from '../policy/usage/units.ts';
import type { GatewayNotice } from './outside.ts';
import { usageRace } from './race.ts';
import type { Answered, Client, World } from './world.ts';

/** Something that people, networks and banks do. To add one, write it into `actions`. */
export interface Action {
  readonly name: string;
  /** How often, beside the others. */
  readonly weight: number;
  /** Does it, and says what became of it; undefined when there was nothing to do it to. */
  run(world: World, client: Client): Promise<string | undefined>;
}

const plans = ['PLAN_S', 'PLAN_S', 'PLAN_S', 'PLAN_M', 'PLAN_L'] as const;
const addOns = [
  'VAS_DATA_1GB',
  'VAS_DATA_5GB',
  'VAS_DAY_PASS',
  'VAS_VOICE_100',
  'VAS_SMS_100',
  'VAS_ROAMING_1GB',
] as const;
const cards = [
  [10, 'tok_visa'],
  [1, 'tok_mastercard'],
  [1, 'tok_declined'],
  [1, 'tok_authorises_capture_fails'],
  [2, 'tok_authorisation_expires'],
  [9, 'tok_renewal_declines'],
  [1, 'tok_requires_action'],
  [1, 'tok_timeout_before'],
  [1, 'tok_timeout_after'],
  [1, 'tok_capture_timeout_after'],
] as const;

const idOf = ({ answer }: Answered): string =>
  typeof answer === 'object' && answer !== null && 'id' in answer ? String(answer.id) : '';

/** A row drawn from what a statement finds; statements order by id, so that a seed draws the same. */
async function drawn<Row extends object>(
  world: World,
  sql: string,
  ...values: readonly unknown[]
): Promise<Row | undefined> {
  const rows = await world.read<Row>(sql, ...values);
  return rows[world.random.int(0, Math.max(0, rows.length - 1))];
}

const anyCustomer = (world: World) => drawn<{ id: string }>(world, 'SELECT "id" FROM "customer" ORDER BY "id"');
interface LineRow {
  id: string;
  msisdn: string;
  customerId: string;
  state: string;
  unpaid: boolean;
}
const lines = `SELECT "id", "msisdn", "customer_id", "state", 'unpaid' = ANY ("block_reasons") AS unpaid FROM "subscription"`;
const liveLine = (world: World) =>
  drawn<LineRow>(world, `${lines} WHERE "state" IN ('active', 'blocked') ORDER BY "id"`);
const anyLine = (world: World) => drawn<LineRow>(world, `${lines} WHERE "msisdn" IS NOT NULL ORDER BY "id"`);

async function offering(world: World, code: string): Promise<string> {
  const [row] = await world.read<{ id: string }>('SELECT "id" FROM "product_offering" WHERE "code" = $1', code);
  return row?.id ?? code;
}

const stockOf = async (world: World, client: Client, numbers: number, profiles: number): Promise<string> => {
  const [row] = await world.read<{ numbers: bigint; esims: bigint }>(
    'SELECT (SELECT count(*) FROM "phone_number") AS numbers, (SELECT count(*) FROM "esim_profile") AS esims',
  );
  const from = Number(row?.numbers ?? 0);
  const first = Number(row?.esims ?? 0);
  const loaded = await client.do(loadNumbers, { first: String(6581000000 + from), count: numbers });
  const batch = Array.from({ length: profiles }, (_, index) => ({
    iccid: `8965${String(first + index).padStart(15, '0')}`,
    activationCode: `LPA:1$sandbox.example$SIM-${first + index}`,
  }));
  await client.do(loadEsims, { profiles: batch });
  return loaded.outcome;
};

/** A little to buy from at first: it runs out. */
export const firstStock = (world: World): Promise<void> =>
  world.act('stock', (client) => stockOf(world, client, world.random.int(2, 12), world.random.int(2, 12)));

const amounts = {
  data: [1, 40, 300, 1500, 4200, 5200, 40_000],
  voice: [1, 20, 85, 101],
  sms: [1, 40, 85, 101],
  roamingData: [1, 200, 1100],
} as const;

/** Where somebody wants to be told: mostly soon, so that a record or two goes past it. Some measure nothing of the kind. */
const marks = {
  data: ['off', '99 %', '95 %', '60 %', '10 %', '5110 MB', '4.9 GB', '500 MB', '20 min'],
  voice: ['off', '99 %', '50 %', '95 min', '1200 s'],
  sms: ['off', '99 %', '50 %', '95 SMS', '10 SMS'],
  roamingData: ['off', '99 %', '400 MB', '0 MB'],
} as const;

interface SentRecord {
  msisdn: string;
  kind: keyof typeof amounts;
  amount: number;
  source: string;
  recordId: string;
}

/** The records that were sent, so that one can be sent again. */
const sent = new WeakMap<World, SentRecord[]>();

async function use(
  world: World,
  client: Client,
  what: { line?: LineRow; kind?: keyof typeof amounts; usageDate?: string } = {},
): Promise<string | undefined> {
  const line = what.line ?? (await anyLine(world));
  if (!line) return undefined;
  const kind = what.kind ?? world.random.pick(['data', 'data', 'data', 'voice', 'sms', 'roamingData'] as const);
  const known = sent.get(world) ?? [];
  const record = {
    msisdn: line.msisdn,
    kind,
    amount: world.random.pick(amounts[kind]),
    source: 'switch',
    recordId: `r${known.length}`,
  };
  sent.set(world, [...known, record]);
  const { usageDate } = what;
  const answered = await client.do(reportUsage, { ...record, ...(usageDate === undefined ? {} : { usageDate }) });
  return `${line.id} ${record.amount} ${kind} ${answered.outcome}`;
}

function notify(world: World, type: string, gatewayReference: string): void {
  world.sides.notices.push({ id: world.policy.newId('req'), type, gatewayReference });
}

const tmf = (world: World) => ({ keepRefused: world.random.chance(0.5) });

function entry(msisdn: string, amount: number, recordId: string): UsageEntry {
  const document: JsonObject = {
    '@type': 'Usage',
    usageType: 'data',
    usageCharacteristic: [
      { name: 'msisdn', value: msisdn },
      { name: 'volume', value: amount },
      { name: 'source', value: 'file' },
      { name: 'recordId', value: recordId },
    ],
  };
  return { document, read: readUsage(document) };
}

/** Records by the hundred, as mediation sends them: one call of the database for all. */
const sendFile: AnyDefinition = {
  name: 'usage.record',
  summary: 'Record a file of usage',
  input: z.array(z.custom<UsageEntry>()),
  audience: ['integrator'],
  effect: 'write',
  rules: [],
  single: (policy: Policy, entries: UsageEntry[], caller: Caller) =>
    recordEntries(policy, entries, caller, { whole: false }),
};

/** What is done to a live line and needs no more than its name. */
const onLine = (name: string, weight: number, definition: AnyDefinition, more: JsonObject = {}): Action => ({
  name,
  weight,
  async run(world, client) {
    const line = await liveLine(world);
    return line && `${line.id} ${(await client.do(definition, { subscriptionId: line.id, ...more })).outcome}`;
  },
});

export const actions: readonly Action[] = [
  {
    name: 'sign up',
    weight: 6,
    async run(world, client) {
      const made = await client.do(registerCustomer, {
        givenName: 'Ada',
        familyName: 'Lim',
        email: `c${world.tallies.turns}-${world.random.int(0, 1e9)}@example.com`,
      });
      if (made.outcome !== 'done') return made.outcome;
      const card = world.random.weighted(cards) ?? 'tok_visa';
      const added = await client.do(addCard, { customerId: idOf(made), token: `${card}_${world.random.int(0, 1e9)}` });
      return `${idOf(made)} ${card} ${added.outcome}`;
    },
  },
  {
    name: 'order a plan',
    weight: 8,
    async run(world, client) {
      const customer = await anyCustomer(world);
      if (!customer) return undefined;
      const answered = await client.do(placeOrder, { customerId: customer.id, offering: world.random.pick(plans) });
      return `${customer.id} ${answered.outcome}`;
    },
  },
  {
    name: 'order several things at once',
    weight: 3,
    async run(world, client) {
      const customer = await anyCustomer(world);
      if (!customer) return undefined;
      const line = await drawn<LineRow>(
        world,
        `${lines} WHERE "customer_id" = $1 AND "state" IN ('active', 'blocked') ORDER BY "id"`,
        customer.id,
      );
      const items: JsonObject[] = [];
      for (let item = 1; item <= world.random.int(2, 3); item += 1) {
        const more = line !== undefined && world.random.chance(0.5);
        items.push({
          id: String(item),
          action: 'add',
          quantity: 1,
          productOffering: refs.offering(await offering(world, world.random.pick(more ? addOns : plans))),
          ...(more ? { product: refs.product(line.id) } : {}),
        });
      }
      const document = { category: 'mobile', relatedParty: [refs.customer(customer.id)], productOrderItem: items };
      const answered = await client.do(known(productOrderCommands.create), { document }, tmf(world));
      return `${customer.id} ${items.length} items ${answered.outcome}`;
    },
  },
  {
    name: 'top up',
    weight: 6,
    async run(world, client) {
      const line = await liveLine(world);
      if (!line) return undefined;
      const wanted = line.unpaid ? 'VAS_PERIOD' : world.random.pick(addOns);
      const answered = await client.do(topUp, { subscriptionId: line.id, offering: wanted });
      return `${line.id} ${wanted} ${answered.outcome}`;
    },
  },
  { name: 'use', weight: 10, run: (world, client) => use(world, client) },
  {
    name: 'use, told late',
    weight: 2,
    run: (world, client) =>
      use(world, client, {
        usageDate: new Date(world.now().getTime() - world.random.int(1, 72) * 3_600_000).toISOString(),
      }),
  },
  {
    name: 'the same record again',
    weight: 2,
    async run(world, client) {
      const known = sent.get(world) ?? [];
      const record = known[world.random.int(0, Math.max(0, known.length - 1))];
      return record && (await client.do(reportUsage, record)).outcome;
    },
  },
  {
    name: 'tell me when so much is left',
    weight: 4,
    async run(world, client) {
      const line = await liveLine(world);
      if (!line) return undefined;
      const kind = world.random.pick(['data', 'data', 'data', 'voice', 'sms', 'roamingData'] as const);
      const left = world.random.pick(marks[kind]);
      const { outcome } = await client.do(setAlert, { subscriptionId: line.id, kind, left });
      const asked = `${line.id} ${kind} ${left} ${outcome}`;
      // Left to chance, few alerts would ever be passed.
      if (outcome !== 'done' || world.random.chance(0.3)) return asked;
      return `${asked}, then ${await use(world, client, { line, kind })}`;
    },
  },
  { name: 'use at once', weight: 2, run: (world) => usageRace(world) },
  {
    name: 'another address',
    weight: 1,
    async run(world, client) {
      const customer = await anyCustomer(world);
      const email = `d${world.random.int(0, 1e9)}@example.com`;
      return customer && (await client.do(changeContact, { customerId: customer.id, email })).outcome;
    },
  },
  {
    name: 'another card',
    weight: 2,
    async run(world, client) {
      const customer = await anyCustomer(world);
      if (!customer) return undefined;
      const [old] = await world.read<{ id: string }>(
        'SELECT "id" FROM "payment_method" WHERE "customer_id" = $1 ORDER BY "id" LIMIT 1',
        customer.id,
      );
      const token = `${world.random.weighted(cards) ?? 'tok_visa'}_${world.random.int(0, 1e9)}`;
      const added = await client.do(addCard, { customerId: customer.id, token, isPreferred: true });
      if (!old || added.outcome !== 'done' || world.random.chance(0.3)) return added.outcome;
      return (await client.do(known(paymentMethodCommands.remove), { id: old.id })).outcome;
    },
  },
  {
    name: 'refund',
    weight: 2,
    async run(world, client) {
      const payment = await drawn<{ id: string; amountMinor: number }>(
        world,
        `SELECT "id", "amount_minor" FROM "payment" WHERE "state" IN ('captured', 'done', 'authorized') ORDER BY "id"`,
      );
      if (!payment) return undefined;
      const amount = world.random.chance(0.5) ? undefined : world.random.int(1, payment.amountMinor) / 100;
      const answered = await client.do(refundPayment, {
        paymentId: payment.id,
        ...(amount === undefined ? {} : { amount }),
        reason: 'simulated',
      });
      return `${payment.id} ${amount ?? 'all'} ${answered.outcome}`;
    },
  },
  {
    name: 'cancel an order',
    weight: 4,
    async run(world, client) {
      // Most often one that is under way: later it is only refused.
      const open = `SELECT "id" FROM "product_order" WHERE "state" NOT IN ('completed', 'failed', 'cancelled', 'rejected', 'partial') ORDER BY "id"`;
      const order =
        (await drawn<{ id: string }>(world, open)) ??
        (world.random.chance(0.2)
          ? await drawn<{ id: string }>(world, 'SELECT "id" FROM "product_order" ORDER BY "id"')
          : undefined);
      if (!order) return undefined;
      if (world.random.chance(0.5))
        return `${order.id} ${(await client.do(cancelOrderCommand, { orderId: order.id, reason: 'simulated' })).outcome}`;
      const at = new Date(world.now().getTime() + world.random.int(-1, 20) * 1000).toISOString();
      const document = { productOrder: refs.productOrder(order.id), requestedCancellationDate: at };
      return `${order.id} at ${at} ${(await client.do(known(cancelProductOrderCommands.create), { document }, tmf(world))).outcome}`;
    },
  },
  {
    name: 'cancel a service order of a client',
    weight: 1,
    async run(world, client) {
      const made = await client.do(known(serviceOrderCommands.create), {
        document: {
          serviceOrderItem: [{ id: '1', action: 'add', service: { serviceType: 'fibre', state: 'active' } }],
        },
      });
      if (made.outcome !== 'done') return made.outcome;
      const at = new Date(world.now().getTime() + world.random.int(1, 60) * 1000).toISOString();
      const document = { serviceOrder: { id: idOf(made) }, requestedCancellationDate: at };
      return (await client.do(cancelServiceOrder, { document })).outcome;
    },
  },
  {
    name: 'statement',
    weight: 1,
    async run(world, client) {
      const customer = await anyCustomer(world);
      return customer && (await client.do(makeStatement, { customerId: customer.id })).outcome;
    },
  },
  {
    name: 'ticket',
    weight: 2,
    async run(world, client) {
      const ticket = await drawn<{ id: string }>(world, 'SELECT "id" FROM "trouble_ticket" ORDER BY "id"');
      if (!ticket || world.random.chance(0.4)) {
        const customer = await anyCustomer(world);
        return (
          customer &&
          (
            await client.do(openTicketCommand, {
              customerId: customer.id,
              name: 'No data',
              description: 'Nothing loads.',
            })
          ).outcome
        );
      }
      if (world.random.chance(0.4)) return (await client.do(noteTicket, { id: ticket.id, text: 'Still so.' })).outcome;
      const status = world.random.pick(['inProgress', 'pending', 'held', 'resolved', 'closed', 'cancelled'] as const);
      return `${status} ${(await client.do(moveTicket, { id: ticket.id, status, note: 'simulated' })).outcome}`;
    },
  },
  {
    name: 'the customer answers the bank',
    weight: 3,
    async run(world) {
      const waiting: string[] = [];
      for await (const { kind, answer, gatewayReference } of world.sides.gateway.book())
        if (kind === 'authorise' && answer.outcome === 'requires_action') waiting.push(gatewayReference);
      const one = waiting[world.random.int(0, Math.max(0, waiting.length - 1))];
      if (one === undefined) return undefined;
      const decision = world.random.chance(0.7) ? 'approve' : 'refuse';
      // One that was let go of meanwhile waits no more.
      return world.sides.gateway.completeAction(one, decision).then(
        (answer) => {
          notify(world, 'authorisation', one);
          return `${one} ${decision} ${answer.outcome}`;
        },
        () => `${one} too late`,
      );
    },
  },
  {
    name: 'chargeback',
    weight: 1,
    async run(world) {
      const captured: string[] = [];
      for await (const { kind, answer, gatewayReference } of world.sides.gateway.book())
        if (kind === 'capture' && answer.outcome === 'captured') captured.push(gatewayReference);
      const one = captured[world.random.int(0, Math.max(0, captured.length - 1))];
      if (one === undefined) return undefined;
      const amount = world.random.chance(0.5) ? undefined : world.random.int(1, 300);
      const taken = await world.sides.gateway.chargeback(one, amount).then(
        () => true,
        () => false,
      );
      if (!taken) return `${one} has nothing left`;
      notify(world, 'chargeback', one);
      return `${one} ${amount ?? 'all'}`;
    },
  },
  {
    name: 'notice of the gateway',
    weight: 4,
    async run(world, client) {
      const { notices } = world.sides;
      const notice = notices[world.random.int(0, Math.max(0, notices.length - 1))];
      if (!notice) return undefined;
      const taken = await takeNotice(notice, client);
      // Taken, it is not told again, unless the gateway did not hear so.
      if (taken.outcome === 'done' && !world.faults.strikes('duplicate request')) {
        const at = notices.indexOf(notice);
        if (at >= 0) notices.splice(at, 1);
      }
      return `${notice.type} ${notice.gatewayReference} ${taken.outcome}`;
    },
  },
  {
    name: 'a file of records',
    weight: 2,
    async run(world, client) {
      const records: UsageEntry[] = [];
      for (let record = world.random.int(3, 6); record > 0; record -= 1) {
        const line = await anyLine(world);
        // A number that nobody has yet goes into the quarantine.
        records.push(entry(line?.msisdn ?? '6599999999', world.random.int(1, 900), world.policy.newId('req')));
      }
      // Broken off in the middle, the whole file is sent again.
      const half = world.faults.strikes('half a batch');
      if (half) await client.do(sendFile, records.slice(0, 2));
      return `${records.length} records${half ? ' after half of them' : ''}: ${(await client.do(sendFile, records)).outcome}`;
    },
  },
  {
    name: 'a part of the catalogue to a file',
    weight: 1,
    async run(world, client) {
      const document = { url: `/${world.random.pick(['category', 'productOfferingPrice'])}`, '@type': 'ExportJob' };
      return (await client.do(known(exportJobCommands.create), { document })).outcome;
    },
  },
  {
    name: 'a part of the catalogue from a file',
    weight: 1,
    async run(world, client) {
      const job = await drawn<{ url: string; path: string | null }>(
        world,
        `SELECT "document" ->> 'url' AS url, "document" ->> 'path' AS path FROM "export_job" ORDER BY "id"`,
      );
      if (!job) return undefined;
      // One that has not ended yet has no file to read.
      const document = { url: job.url, path: job.path ?? 'none.json', '@type': 'ImportJob' };
      return (await client.do(known(importJobCommands.create), { document })).outcome;
    },
  },
  {
    name: 'judge the quarantine anew',
    weight: 1,
    run: async (world, client) =>
      (await client.do(replayUsage, { reason: 'usage.number_known', evenOld: world.random.chance(0.5) })).outcome,
  },
  {
    name: 'try failed work again',
    weight: 1,
    async run(world, client) {
      const flow = world.random.pick(['order', 'network', 'renewal', 'refund', 'notice'] as const);
      return `${flow} ${(await client.do(retryFlow, { flow })).outcome}`;
    },
  },
  {
    name: 'change the plan',
    weight: 3,
    async run(world, client) {
      const line = await liveLine(world);
      if (!line) return undefined;
      const wanted = world.random.pick(plans);
      const answered = await client.do(changePlan, { subscriptionId: line.id, offering: wanted });
      return `${line.id} ${wanted} ${answered.outcome}`;
    },
  },
  onLine('keep the plan', 1, withdrawPlanChangeCommand),
  onLine('end at the boundary', 1, endLine, { when: 'boundary' }),
  onLine('end now', 1, endLine, { when: 'now' }),
  onLine('do not end', 1, withdrawLineEnd),
  onLine('another eSIM', 8, replaceEsim),
  onLine('roaming off', 1, setRoaming, { roaming: 'off' }),
  onLine('roaming on', 1, setRoaming, { roaming: 'on' }),
  {
    name: 'port out',
    weight: 0.5,
    async run(world, client) {
      const line = await liveLine(world);
      return line && `${line.id} ${(await client.do(portOut, { msisdn: line.msisdn })).outcome}`;
    },
  },
  {
    name: 'stock',
    weight: 1,
    run: (world, client) => stockOf(world, client, world.random.int(1, 4), world.random.int(1, 4)),
  },
];

/** The gateway tells us of something it did by itself, once or often, in any order. */
export const takeNotice = (notice: GatewayNotice, client: Client): Promise<Answered> =>
  client.do(receiveGatewayEvent, notice);

function known(definition: AnyDefinition | undefined): AnyDefinition {
  if (!definition) throw new Error('this resource has no such command');
  return definition;
}

/** Begins one of the actions, by weight. */
export async function beginAction(world: World): Promise<void> {
  const action = world.random.weighted(actions.map((one) => [one.weight, one] as const));
  if (action) await world.act(action.name, (client) => action.run(world, client));
}
