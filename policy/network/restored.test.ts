import { afterAll, beforeAll, expect, it } from 'vitest';
import { type House, openHouse } from '../../doctrine/house.ts';
import { recordUsage } from '../usage/commands.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

interface Line {
  subscription: string;
  service: string;
  msisdn: string;
  iccid: string;
  sequence: number;
}

async function activeLine(): Promise<Line> {
  const order = await house.order(await house.customer());
  await house.settle();
  const { subscriptionId } = await house.state(order);
  const { rows } = await house.pool.query<Line>(
    `SELECT s."id" AS subscription, v."id" AS service, v."msisdn", e."iccid", v."network_sequence"::int AS sequence
       FROM "subscription" s JOIN "service" v ON v."id" = s."service_id" JOIN "esim_profile" e ON e."id" = v."esim_id" WHERE s."id" = $1`,
    [subscriptionId],
  );
  const [line] = rows;
  if (!line) throw new Error('there is no line');
  return line;
}

/** What was decided for a line after the backup, reached the network, and is not in the restored database. */
async function forget(line: Line, count: number, state: 'active' | 'inactive'): Promise<void> {
  for (let n = 1; n <= count; n += 1) {
    await house.network.apply({
      key: `network:${line.service}:${line.sequence + n}`,
      line: line.service,
      sequence: line.sequence + n,
      msisdn: line.msisdn,
      iccid: line.iccid,
      desired: { state, data: state === 'active', voice: false, sms: false, roamingData: false },
    });
  }
}

/** Uses up all that the line has: it is stopped, in the same transaction. */
async function exhaust(line: Line): Promise<void> {
  records += 1;
  await recordUsage(
    house.policy,
    {
      usageType: 'data',
      usageCharacteristic: [
        { name: 'msisdn', value: line.msisdn },
        { name: 'volume', value: '500' },
        { name: 'unit', value: 'GB' },
        { name: 'source', value: 'restored' },
        { name: 'recordId', value: `record ${records}` },
      ],
    },
    house.caller,
  );
}
let records = 0;

it('a line of which the network knows more than a restored database is stopped when it is used up, and served when it is paid for', async () => {
  const line = await activeLine();
  await forget(line, 3, 'active');
  await exhaust(line);
  await house.settle();
  expect(await house.network.line(line.service)).toMatchObject({ state: 'inactive', data: false });
  expect(await house.breaches({ quiet: true })).toEqual([]);
  await house.topUp(line.subscription, 'VAS_DATA_1GB');
  await house.settle();
  expect(await house.network.line(line.service)).toMatchObject({ state: 'active', data: true });
  expect(await house.breaches({ quiet: true })).toEqual([]);
});

it('of two decisions that the network has not heard of the later one is the last word', async () => {
  const line = await activeLine();
  await forget(line, 1, 'inactive');
  // The network is away while the line is stopped and paid for again.
  await house.network.plan({ mode: 'unavailable', times: 2 });
  await exhaust(line);
  await house.worker().drain();
  await house.topUp(line.subscription, 'VAS_DATA_1GB');
  await house.settle();
  expect(await house.network.line(line.service)).toMatchObject({ state: 'active', data: true });
  expect(await house.breaches({ quiet: true })).toEqual([]);
});
