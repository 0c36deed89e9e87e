import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, openHouse } from '../../doctrine/house.ts';
import { bookStatements, compareBooks } from '../../read/views/books.ts';
import { runStatement } from '../core/transaction.ts';

// After a restore the network and the card gateway know more than we do: a line that was sold since the backup has its
// number there, and an order that the backup still holds open was paid for.

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

async function rows<R extends object>(text: string, values: unknown[] = []): Promise<R[]> {
  return runStatement<R>(house.pool, text, values);
}

const free = async (table: 'phone_number' | 'esim_profile', column: 'msisdn' | 'iccid'): Promise<string> => {
  const [first] = await rows<{ name: string }>(
    `SELECT "${column}" AS name FROM "${table}" WHERE "state" = 'available' ORDER BY ${table === 'phone_number' ? '"msisdn"' : '"id"'} LIMIT 1`,
  );
  if (!first) throw new Error('nothing is free');
  return first.name;
};

/** A line in the network that nobody here remembers. */
async function forgottenLine(name: string, msisdn: string, iccid: string): Promise<void> {
  const answer = await house.network.apply({
    key: `test:${name}`,
    line: name,
    sequence: 1,
    msisdn,
    iccid,
    desired: { state: 'active', data: true, voice: true, sms: true, roamingData: false },
  });
  expect(answer.outcome).toBe('confirmed');
}

async function evenBooks(): Promise<void> {
  expect((await compareBooks(house.pool, house.gateway, { leaveOutUnderWay: false })).differences).toEqual([]);
  for (const { name, sql } of bookStatements) expect(await rows(sql), name).toEqual([]);
}

describe('an order that a restore put back', () => {
  it('fails on a number that a forgotten line has, gives back what was taken, and leaves the number aside', async () => {
    const number = await free('phone_number', 'msisdn');
    await forgottenLine('sub_forgotten', number, '8965000000000009991');
    const order = await house.order(await house.customer());
    // As the dump found it: authorised, not captured. The gateway has taken the money since.
    const worker = house.worker();
    for (let round = 0; round < 50; round += 1) {
      const [payment] = await rows<{ state: string }>(`SELECT "state" FROM "payment"`);
      if (payment?.state === 'authorized') break;
      await worker.drain();
    }
    const [payment] = await rows<{
      factKey: string;
      gatewayReference: string;
      amountMinor: number;
      currency: string;
    }>(`SELECT "fact_key", "gateway_reference", "amount_minor", "currency" FROM "payment"`);
    if (!payment) throw new Error('nothing was authorised');
    const taken = await house.gateway.capture({
      key: `${payment.factKey}:capture:1`,
      gatewayReference: payment.gatewayReference,
      amountMinor: Number(payment.amountMinor),
      currency: payment.currency,
    });
    expect(taken.outcome).toBe('captured');
    await house.settle();

    const after = await house.state(order);
    expect(after).toMatchObject({ order: 'failed', line: 'terminated' });
    const [money] = await rows<{ bills: bigint; sum: bigint; refunded: number }>(
      `SELECT count(*) AS bills, sum(b."amount_minor") AS sum, max(p."refunded_minor") AS refunded
       FROM "customer_bill" b JOIN "payment" p ON p."id" = b."payment_id"`,
    );
    expect(money).toMatchObject({ bills: 2n, sum: 0n, refunded: Number(payment.amountMinor) });
    await evenBooks();
    const [kept] = await rows<{ state: string }>(`SELECT "state" FROM "phone_number" WHERE "msisdn" = $1`, [number]);
    expect(kept?.state).toBe('quarantined');
  });

  it('is not given a profile twice that a forgotten line has', async () => {
    const iccid = await free('esim_profile', 'iccid');
    await forgottenLine('sub_forgotten_too', '6580009999', iccid);
    const first = await house.order(await house.customer());
    await house.settle();
    expect((await house.state(first)).order).toBe('failed');
    const [profile] = await rows<{ state: string }>(`SELECT "state" FROM "esim_profile" WHERE "iccid" = $1`, [iccid]);
    expect(profile?.state).toBe('deleted');
    const second = await house.order(await house.customer());
    await house.settle();
    expect(await house.state(second)).toMatchObject({ order: 'completed', payment: 'captured' });
    await evenBooks();
  });
});
