import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type House, openHouse, operator } from '../../doctrine/house.ts';
import { monthsAfter } from '../../kernel/calendar.ts';
import { freezeClock } from '../clock/commands.ts';
import { execute, run, transaction } from '../core/command.ts';
import { runStatement } from '../core/transaction.ts';
import { refundPayment } from '../payment/refund.ts';
import { terminateLine } from '../subscription/line.ts';
import { reportUsage } from './commands.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

// ---- the model: what a line has and owes, in MB, minutes, hours and dollars ----

const hourMs = 3_600_000;
type Kind = 'data' | 'voice';
const addOns = {
  VAS_DATA_1GB: { kind: 'data', quantity: 1024, hours: 30 * 24, price: 3 },
  VAS_DATA_5GB: { kind: 'data', quantity: 5 * 1024, hours: 30 * 24, price: 12 },
  VAS_DAY_PASS: { kind: 'data', quantity: null, hours: 24, price: 5 },
  VAS_VOICE_100: { kind: 'voice', quantity: 100, hours: 30 * 24, price: 3 },
} as const;
type AddOn = keyof typeof addOns;

interface ModelBucket {
  kind: Kind;
  left: number | null;
  used: number;
  endsMs: number;
  /** The place of its payment, in the order of charges. */
  payment: number;
  over: boolean;
}

interface Model {
  readonly buckets: readonly ModelBucket[];
  readonly charged: readonly number[];
  readonly refunded: ReadonlySet<number>;
  has(kind: Kind): boolean;
  /** @returns what is charged; 0 when the record is rejected. */
  use(kind: Kind, quantity: number): number;
  buy(code: AddOn, nowMs: number): void;
  refund(payment: number): void;
  move(nowMs: number): void;
}

function makeModel(anchor: Date): Model {
  const buckets: ModelBucket[] = [];
  const charged: number[] = [];
  const refunded = new Set<number>();
  let months = 0;
  const boundary = (): number => monthsAfter(anchor, months, 'Asia/Singapore').getTime();
  const live = (kind: Kind) => buckets.filter((one) => one.kind === kind && !one.over);
  const has = (kind: Kind) => live(kind).some((one) => one.left === null || one.left > 0);
  const end = (bucket: ModelBucket): void => {
    bucket.over = true;
    if (bucket.left !== null) bucket.left = 0;
  };
  const period = (): void => {
    months += 1;
    const common = { used: 0, endsMs: boundary(), payment: charged.push(10) - 1, over: false };
    buckets.push({ ...common, kind: 'data', left: 5 * 1024 }, { ...common, kind: 'voice', left: 100 });
  };
  period();
  return {
    buckets,
    charged,
    refunded,
    has,
    use(kind, quantity) {
      if (!has('data')) return 0;
      let open = quantity;
      for (const bucket of live(kind).sort((one, other) => one.endsMs - other.endsMs)) {
        const taken = bucket.left === null ? open : Math.min(bucket.left, open);
        if (bucket.left !== null) bucket.left -= taken;
        bucket.used += taken;
        open -= taken;
      }
      return quantity - open;
    },
    buy(code, nowMs) {
      const { kind, quantity, hours, price } = addOns[code];
      const payment = charged.push(price) - 1;
      buckets.push({ kind, left: quantity, used: 0, endsMs: nowMs + hours * hourMs, payment, over: false });
    },
    refund(payment) {
      refunded.add(payment);
      for (const bucket of buckets) if (bucket.payment === payment) end(bucket);
    },
    move(nowMs) {
      for (;;) {
        const next = boundary();
        for (const bucket of buckets) if (bucket.endsMs <= Math.min(next, nowMs)) end(bucket);
        if (next > nowMs) return;
        period();
      }
    },
  };
}

// ---- the same on a house ----

interface Line {
  id: string;
  msisdn: string;
  customer: string;
  anchor: Date;
}

async function activeLine(): Promise<Line> {
  const customer = await house.customer();
  await house.order(customer, 'PLAN_S');
  await house.settle();
  const [line] = await runStatement<{ id: string; msisdn: string; anchor: Date }>(
    house.pool,
    'SELECT "id", "msisdn", "anchor_at" AS anchor FROM "subscription" WHERE "customer_id" = $1',
    [customer],
  );
  if (!line) throw new Error('the line was not made');
  return { ...line, customer };
}

const sizes: Readonly<Record<Kind, number>> = { data: 1024 ** 2, voice: 60 };

/** Base units as those of the model. */
const inUnits = (kind: Kind, amount: bigint | null) => (amount === null ? null : Number(amount) / sizes[kind]);

async function seen(line: Line) {
  const buckets = await runStatement<{ kind: Kind; remaining: bigint | null; used: bigint; state: string }>(
    house.pool,
    `SELECT "kind", "remaining", "used", "state" FROM "bucket" WHERE "subscription_id" = $1 AND "kind" IN ('data', 'voice') ORDER BY "id"`,
    [line.id],
  );
  const [state] = await runStatement<{ state: string; reasons: string[]; stopped: string[] }>(
    house.pool,
    'SELECT "state", "block_reasons" AS reasons, "stopped_kinds" AS stopped FROM "subscription" WHERE "id" = $1',
    [line.id],
  );
  const [money] = await runStatement<{ captured: bigint; refunded: bigint; billed: bigint }>(
    house.pool,
    `SELECT (SELECT coalesce(sum("amount_minor"), 0)::bigint FROM "payment" WHERE "customer_id" = $1 AND "state" IN ('captured', 'done')) AS captured,
       (SELECT coalesce(sum("refunded_minor"), 0)::bigint FROM "payment" WHERE "customer_id" = $1) AS refunded,
       (SELECT coalesce(sum("amount_minor"), 0)::bigint FROM "customer_bill" WHERE "customer_id" = $1) AS billed`,
    [line.customer],
  );
  return {
    buckets: buckets.map((one) => ({
      kind: one.kind,
      left: inUnits(one.kind, one.remaining),
      used: inUnits(one.kind, one.used),
      over: one.state === 'expired',
    })),
    state: state?.state,
    reasons: state?.reasons,
    isVoiceStopped: state?.stopped.includes('voice'),
    captured: Number(money?.captured) / 100,
    refunded: Number(money?.refunded) / 100,
    billed: Number(money?.billed) / 100,
  };
}

function expected(model: Model): Awaited<ReturnType<typeof seen>> {
  const captured = model.charged.reduce((sum, price) => sum + price, 0);
  const refunded = [...model.refunded].reduce((sum, payment) => sum + (model.charged[payment] ?? 0), 0);
  return {
    buckets: model.buckets.map(({ kind, left, used, over }) => ({ kind, left, used, over })),
    state: model.has('data') ? 'active' : 'blocked',
    reasons: model.has('data') ? [] : ['exhausted'],
    isVoiceStopped: !model.has('voice'),
    captured,
    refunded,
    billed: captured - refunded,
  };
}

const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('use' as const),
      kind: fc.constantFrom<Kind>('data', 'data', 'voice'),
      percent: fc.integer({ min: 1, max: 130 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('buy' as const),
      code: fc.constantFrom<AddOn>('VAS_DATA_1GB', 'VAS_DATA_5GB', 'VAS_DAY_PASS', 'VAS_VOICE_100'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      hours: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constant(24), fc.integer({ min: 100, max: 500 })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refund' as const), place: fc.nat(50) }) },
);

it('whatever is used, bought, given back and waited for: what expires first is spent first, and money adds up', {
  timeout: 240_000,
}, async () => {
  const met = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 6, maxLength: 16, size: 'max' }), async (actions) => {
      const line = await activeLine();
      const model = makeModel(line.anchor);
      let nowMs = line.anchor.getTime();
      for (const one of actions) {
        if (one.do === 'use') {
          // As a share of what is left, so that records end on a bucket, in one and beyond the last.
          const left = model.buckets.filter((bucket) => bucket.kind === one.kind && !bucket.over);
          const whole = left.reduce((sum, bucket) => sum + (bucket.left ?? 2000), 0);
          const quantity = Math.max(1, Math.ceil((whole * one.percent) / 100));
          const charged = model.use(one.kind, quantity);
          const unit = one.kind === 'data' ? 'MB' : 'min';
          const made = await run(
            house.policy,
            reportUsage,
            { msisdn: line.msisdn, kind: one.kind, amount: quantity, unit },
            operator,
          );
          expect([one, made]).toMatchObject([one, { document: { status: charged === 0 ? 'rejected' : 'rated' } }]);
          met.add(charged === 0 ? 'rejected' : charged < quantity ? 'cut short' : 'served');
        } else if (one.do === 'buy') {
          await house.topUp(line.id, one.code);
          await house.settle();
          model.buy(one.code, nowMs);
        } else if (one.do === 'wait') {
          nowMs += one.hours * hourMs;
          await execute(house.policy, freezeClock, { at: new Date(nowMs).toISOString() }, operator);
          await house.settle();
          model.move(nowMs);
        } else {
          const open = model.charged.map((_, place) => place).filter((place) => !model.refunded.has(place));
          const place = open[one.place % Math.max(1, open.length)];
          if (place === undefined) continue;
          const [payment] = await runStatement<{ id: string }>(
            house.pool,
            'SELECT "id" FROM "payment" WHERE "customer_id" = $1 ORDER BY "id" OFFSET $2 LIMIT 1',
            [line.customer, place],
          );
          await execute(house.policy, refundPayment, { paymentId: payment?.id ?? '' }, operator);
          await house.settle();
          model.refund(place);
        }
        expect([actions, await seen(line)]).toEqual([actions, expected(model)]);
        met.add(model.has('data') ? 'active' : 'blocked');
      }
      await transaction(house.policy, 'test.terminate', operator, {}, (tx) =>
        terminateLine(tx, line.id, { flow: 'line', subject: line.id, confirmed: 'release', refused: 'release' }),
      );
      await house.settle();
      expect(await house.breaches()).toEqual([]);
    }),
    { numRuns: 12, interruptAfterTimeLimit: 180_000 },
  );
  expect([...met].sort()).toEqual(['active', 'blocked', 'cut short', 'rejected', 'served']);
});
