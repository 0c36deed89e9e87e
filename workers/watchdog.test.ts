import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type House, openHouse } from '../doctrine/house.ts';
import { execute, transaction } from '../policy/core/command.ts';
import { retryFlow } from '../policy/flow/commands.ts';
import { eventually, realClock } from './testing.ts';
import { makeWatchdog } from './watchdog.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

it('tells once when work is stuck, and when an operator’s retry has mended it', async () => {
  const said: string[] = [];
  const metrics = new Registry();
  const watchdog = makeWatchdog({
    pool: house.pool,
    clock: realClock,
    log: { warn: (fields, message) => void said.push(`${message} ${JSON.stringify(fields)}`) },
    metrics,
    everyMs: 20,
  });
  const alarm = async () => (await metrics.metrics()).match(/^airtime_alarm\{code="flow.retrying"\} (\d)$/m)?.[1];
  watchdog.start();
  try {
    await expect(execute(house.policy, retryFlow, { flow: 'network' }, house.caller)).rejects.toMatchObject({
      code: 'flow.needs_failed_step',
      status: 409,
    });
    await expect(execute(house.policy, retryFlow, {}, house.caller)).rejects.toThrow(/name a step/);

    await house.network.plan({ mode: 'unavailable', times: 1 });
    const customer = await house.customer();
    const order = await house.order(customer);
    const worker = house.worker();
    await worker.drain();
    await eventually(alarm, (value) => value === '1');
    expect(said.filter((line) => line.includes('"flow.retrying"'))).toHaveLength(1);

    // Left alone it would wait for its pause; here for an hour.
    await transaction(house.policy, 'test.wait', house.caller, {}, async (tx) => {
      await tx.sql`UPDATE "flow_step" SET "not_before" = clock_timestamp() + interval '1 hour' WHERE "last_error" IS NOT NULL AND "state" = 'waiting'`;
    });
    expect(await worker.drain()).toBe(0);
    const { retried } = await execute(house.policy, retryFlow, { flow: 'network' }, house.caller);
    expect(retried).toMatchObject([{ flow: 'network', step: 'deliver' }]);
    await worker.drain();
    expect(await house.state(order)).toMatchObject({ order: 'completed', line: 'active' });
    await eventually(alarm, (value) => value === '0');
    expect(said.filter((line) => line.includes('the alarm is over'))).toHaveLength(1);
    expect(await house.breaches()).toEqual([]);
  } finally {
    await watchdog.stop();
  }
});
