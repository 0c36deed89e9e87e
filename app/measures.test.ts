import pg from 'pg';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { OutcomeUnknown } from '../adapters/outcome.ts';
import { AirtimeError, Refusal } from '../kernel/error.ts';
import { LeaseLost, TryLater } from '../policy/core/flow.ts';
import type { Figures } from '../read/views/figures.ts';
import { measureDatabase, measureWork } from './measures.ts';

const figures: Figures = { outbox: { lagSeconds: 2, queues: 3 }, payments: { captured: 4 }, databaseBytes: 5 };
const idle = () => new pg.Pool({ connectionString: 'postgres://nobody@127.0.0.1:1/none' });
const seriesOf = async (registry: Registry, name: string): Promise<string[]> =>
  (await registry.metrics()).split('\n').filter((line) => line.startsWith(name) && !/_(bucket|sum)/.test(line));

it('counts work by what became of it, and gives back what the work gave', async () => {
  const registry = new Registry();
  const { work } = measureWork(registry);
  const ends = async (kind: 'command' | 'preview' | 'step' | 'outside', error: unknown) => {
    await expect(
      work(kind, 'one', {}, async () => {
        throw error;
      }),
    ).rejects.toBe(error);
  };
  expect(await work('command', 'one', {}, async () => 7)).toBe(7);
  await ends('command', new Refusal('card.needs_owner', 'No.'));
  await ends('command', new AirtimeError(503, 'unavailable', 'Later.'));
  await ends('command', new Error('a defect'));
  await ends('preview', new Refusal('card.needs_owner', 'No.'));
  expect(await seriesOf(registry, 'airtime_commands_total')).toEqual([
    'airtime_commands_total{command="one",outcome="ok"} 1',
    'airtime_commands_total{command="one",outcome="refused"} 1',
    'airtime_commands_total{command="one",outcome="unavailable"} 1',
    'airtime_commands_total{command="one",outcome="failed"} 1',
  ]);
  expect(await seriesOf(registry, 'airtime_refusals_total')).toEqual([
    'airtime_refusals_total{rule="card.needs_owner"} 1',
  ]);

  await ends('step', new TryLater('later'));
  await ends('step', new LeaseLost('lost'));
  await ends('step', new Error('a defect'));
  expect(await seriesOf(registry, 'airtime_steps_total')).toEqual([
    'airtime_steps_total{step="one",outcome="later"} 1',
    'airtime_steps_total{step="one",outcome="lost"} 1',
    'airtime_steps_total{step="one",outcome="failed"} 1',
  ]);

  await ends('outside', new OutcomeUnknown('silence'));
  await work('outside', 'one', {}, async () => ({ outcome: 'declined' }));
  await work('outside', 'one', {}, async () => ({ kind: 'unreachable' }));
  expect(await seriesOf(registry, 'airtime_outside_calls_total')).toEqual([
    'airtime_outside_calls_total{call="one",outcome="unknown"} 1',
    'airtime_outside_calls_total{call="one",outcome="declined"} 1',
    'airtime_outside_calls_total{call="one",outcome="unreachable"} 1',
  ]);

  await work('command', 'subscription.renew', {}, async () => undefined);
  expect(await seriesOf(registry, 'airtime_renewals_total')).toContain('airtime_renewals_total{outcome="renewed"} 1');
});

it('asks the database once in a while, and shows a gap and not old figures when it does not answer', async () => {
  const registry = new Registry();
  let now = 0;
  let asked = 0;
  let answer: () => Promise<Figures> = async () => figures;
  measureDatabase(
    registry,
    idle(),
    () => now,
    () => {
      asked += 1;
      return answer();
    },
  );
  const shown = async () => {
    const text = await registry.metrics();
    return [
      'airtime_database_reachable',
      'airtime_outbox_lag_seconds',
      'airtime_payments_last_day{state="captured"}',
    ].map(
      (name) =>
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.split(' ')[1],
    );
  };
  expect(await shown()).toEqual(['1', '2', '4']);
  expect(await shown()).toEqual(['1', '2', '4']);
  expect(asked).toBe(1);

  now += 6000;
  answer = () => Promise.reject(new Error('away'));
  expect(await shown()).toEqual(['0', undefined, undefined]);

  now += 6000;
  answer = () => new Promise(() => undefined);
  const began = Date.now();
  expect(await shown()).toEqual(['0', undefined, undefined]);
  expect(Date.now() - began).toBeLessThan(5000);
});
