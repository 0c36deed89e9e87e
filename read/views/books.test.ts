import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CardGateway, GatewayOperation } from '../../adapters/card-gateway.ts';
import { withClient } from '../../app/database/roles.ts';
import { type House, openHouse, operator } from '../../doctrine/house.ts';
import { execute } from '../../policy/core/command.ts';
import { refundPayment } from '../../policy/payment/refund.ts';
import { type Books, bookStatements, booksShape, checkBooks } from './books.ts';

let house: House;
let captured: string;
let refunded: string;

/** A house in which one payment was taken and another taken and given back in part. */
beforeAll(async () => {
  house = await openHouse();
  const ids: string[] = [];
  for (let n = 0; n < 2; n += 1) {
    const order = await house.order(await house.customer());
    await house.settle();
    const { rows } = await house.pool.query<{ id: string }>(
      'SELECT "payment_id" AS id FROM "order_item" WHERE "product_order_id" = $1',
      [order],
    );
    ids.push(rows[0]?.id ?? '');
  }
  [captured = '', refunded = ''] = ids;
  await execute(house.policy, refundPayment, { paymentId: refunded, amount: 4 }, operator);
  await house.settle();
  // What the database itself forbids is planted all the same.
  await withClient(house.database.ownerUrl, async (owner) => {
    const { rows } = await owner.query<{ drop: string }>(
      `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace`,
    );
    for (const { drop } of rows) await owner.query(drop);
    await owner.query('DROP INDEX "customer_bill_bill_no_key"');
  });
});
afterAll(() => house.close());

/** Does the damage in a transaction, checks the books, and undoes it. */
async function after(damage: string, gateway: Pick<CardGateway, 'book'> = house.gateway): Promise<Books> {
  const client = await house.pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SELECT begin_command('test.damage', '{}')`);
    await client.query(damage);
    return booksShape.parse(await checkBooks(client, gateway));
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

const bookOf = (change: (book: GatewayOperation[]) => GatewayOperation[]): Pick<CardGateway, 'book'> => ({
  async *book() {
    const whole: GatewayOperation[] = [];
    for await (const operation of house.gateway.book()) whole.push(operation);
    yield* change(whole);
  },
});

it('are even where nothing is wrong, and add up', async () => {
  const books = await checkBooks(house.pool, house.gateway);
  expect(books).toMatchObject({
    payments: 2,
    entries: 5,
    underWay: 0,
    sums: [{ currency: 'SGD', capturedMinor: 2000, returnedMinor: 400, billedMinor: 1600 }],
    differences: [],
  });
  expect(books.buckets).toBeGreaterThan(0);
});

it('a charge that a restore forgot is that of the same fact, made again without being taken again; one of another fact is not', async () => {
  const forgotten = (fact: (key: string) => string) =>
    bookOf((book) =>
      book.map((one) =>
        one.kind === 'authorise' && one.reference === captured
          ? { ...one, reference: 'pay_forgotten', key: fact(one.key) }
          : one,
      ),
    );
  expect(
    await checkBooks(
      house.pool,
      forgotten((key) => key),
    ),
  ).toMatchObject({ differences: [] });
  const other = await checkBooks(
    house.pool,
    forgotten((key) => `x${key}`),
  );
  expect(other.differences.map(({ check, id }) => [check, id])).toEqual([
    ['every charge is one of our payments', 'pay_forgotten'],
    ['each captured payment is in the book', captured],
  ]);
});

describe('a difference is found, with its id', () => {
  const even = 'each payment is what the gateway took and gave back';
  const planted: [check: string, damage: () => string, id?: () => string | null][] = [
    [bookStatements[0]?.name ?? '', () => `UPDATE "bucket" SET "used" = "used" + 1 WHERE "payment_id" = '${captured}'`],
    [
      'money: a captured payment has one bill of its amount',
      () => `DELETE FROM "customer_bill" WHERE "payment_id" = '${captured}'`,
      () => captured,
    ],
    [
      'money: a refund has one credit note of its amount',
      () => `DELETE FROM "customer_bill" WHERE "refund_id" IS NOT NULL`,
    ],
    [
      'money: what was refunded of a payment is the sum of its refunds',
      () => `UPDATE "payment" SET "refunded_minor" = 1 WHERE "id" = '${captured}'`,
      () => captured,
    ],
    ['money: every bill has its rate, and its number is its own', () => `UPDATE "customer_bill" SET "bill_no" = '7'`],
    [even, () => `UPDATE "payment" SET "amount_minor" = 1100 WHERE "id" = '${captured}'`, () => captured],
    [even, () => `UPDATE "payment" SET "state" = 'failed' WHERE "id" = '${captured}'`, () => captured],
    [even, () => `UPDATE "payment" SET "refunded_minor" = 0 WHERE "id" = '${refunded}'`, () => refunded],
    ['every charge is one of our payments', () => `DELETE FROM "payment" WHERE "id" = '${captured}'`, () => captured],
    ['captured minus refunded is the sum of bills', () => `UPDATE "customer_bill" SET "amount_minor" = 1`, () => null],
  ];
  it.each(planted)('%s', async (check, damage, id) => {
    const { differences } = await after(damage());
    expect(differences).toContainEqual(
      expect.objectContaining({ check, id: id === undefined ? expect.stringMatching(/^[a-z]+_/) : id() }),
    );
  });
  it('and every statement has one planted', () => {
    const covered = planted.map(([check]) => check);
    expect(bookStatements.filter(({ name }) => !covered.includes(name))).toEqual([]);
  });

  it.each<[check: string, change: (book: GatewayOperation[]) => GatewayOperation[], id: () => string]>([
    ['one capture for one fact', (book) => [...book, ...book.filter(({ kind }) => kind === 'capture')], () => captured],
    ['each captured payment is in the book', () => [], () => captured],
    [even, (book) => book.filter(({ kind }) => kind !== 'refund'), () => refunded],
    ['no money is held that nobody will take', (book) => book.filter(({ kind }) => kind !== 'capture'), () => captured],
  ])('at the gateway: %s', async (check, change, id) => {
    const { differences } = await checkBooks(house.pool, bookOf(change));
    expect(differences).toContainEqual(expect.objectContaining({ check, id: id() }));
  });
});

it('leave out what is under way, until it should be done', async () => {
  await execute(house.policy, refundPayment, { paymentId: captured, amount: 1 }, operator);
  await house.gateway.plan({ mode: 'lose_answer', calls: ['refund'], times: 1 });
  await house.worker().drain();
  // The gateway gave the money back, and we have not heard.
  expect(await checkBooks(house.pool, house.gateway)).toMatchObject({ underWay: 1, differences: [] });
  const { differences } = await after(`UPDATE "refund" SET "state" = 'failed' WHERE "state" = 'pendingAuthorization';
    UPDATE "flow_step" SET "state" = 'done'`);
  expect(differences.map(({ id }) => id)).toContain(captured);
  await house.settle();
  expect(await checkBooks(house.pool, house.gateway)).toMatchObject({ underWay: 0, differences: [] });
});

it('differ no longer when the second look finds them even', async () => {
  let reads = 0;
  const late: Pick<CardGateway, 'book'> = {
    async *book() {
      reads += 1;
      if (reads > 1) yield* house.gateway.book();
    },
  };
  expect((await checkBooks(house.pool, late)).differences).toEqual([]);
  expect(reads).toBe(2);
});
