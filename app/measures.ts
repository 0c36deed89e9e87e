import type { Pool } from 'pg';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { OutcomeUnknown, RequestRefused } from '../adapters/outcome.ts';
import { AirtimeError, Refusal } from '../kernel/error.ts';
import type { Watch } from '../kernel/watch.ts';
import { LeaseLost, TryLater } from '../policy/core/flow.ts';
import { type Figures, readFigures } from '../read/views/figures.ts';

/** How a renewal ended, by the command that is its last. */
const renewals: Readonly<Record<string, string>> = {
  'subscription.renew': 'renewed',
  'subscription.renewal_declined': 'declined',
  'subscription.renewal_void': 'void',
};

/** How long figures of the database are good: two scrapers do not ask twice. */
const figuresMsMax = 5000;
const patienceMs = 2000;

/** Counts and times what the house does. @returns what is told of the work. */
export function measureWork(registry: Registry): Watch {
  const registers = [registry];
  const commands = new Counter({
    name: 'airtime_commands_total',
    help: 'Commands carried out, by what became of them: ok, refused, failed, or unavailable.',
    labelNames: ['command', 'outcome'] as const,
    registers,
  });
  const commandSeconds = new Histogram({
    name: 'airtime_command_duration_seconds',
    help: 'Time that commands took, tries after a conflict included.',
    buckets: [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers,
  });
  const refusals = new Counter({
    name: 'airtime_refusals_total',
    help: 'Commands that a rule refused, by its code.',
    labelNames: ['rule'] as const,
    registers,
  });
  const steps = new Counter({
    name: 'airtime_steps_total',
    help: 'Steps of flows that were run, by what became of them: ok, later, lost, or failed.',
    labelNames: ['step', 'outcome'] as const,
    registers,
  });
  const stepSeconds = new Histogram({
    name: 'airtime_step_duration_seconds',
    help: 'Time that steps took, with the calls of the outside in them.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const calls = new Counter({
    name: 'airtime_outside_calls_total',
    help: 'Calls of card gateway, network, mail and subscribers, by their answer; unknown is none.',
    labelNames: ['call', 'outcome'] as const,
    registers,
  });
  const callSeconds = new Histogram({
    name: 'airtime_outside_call_duration_seconds',
    help: 'Time that calls of the outside took.',
    labelNames: ['call'] as const,
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const renewed = new Counter({
    name: 'airtime_renewals_total',
    help: 'Renewals that came to an end: renewed, declined, or void.',
    labelNames: ['outcome'] as const,
    registers,
  });
  const usage = new Counter({
    name: 'airtime_usage_records_total',
    help: 'Records of usage that were judged: rated, rejected, or repeated.',
    labelNames: ['outcome'] as const,
    registers,
  });
  // What has not happened yet is shown as nothing: an alert on a rate needs the series before its first event.
  for (const outcome of ['rated', 'rejected', 'repeated']) usage.inc({ outcome }, 0);
  for (const outcome of Object.values(renewals)) renewed.inc({ outcome }, 0);

  return {
    async work(kind, name, _facts, work) {
      if (kind === 'preview') return work();
      const started = performance.now();
      let error: unknown;
      let answer: unknown;
      try {
        const given = await work();
        answer = given;
        return given;
      } catch (thrown) {
        error = thrown ?? new Error('something was thrown that says nothing');
        throw thrown;
      } finally {
        const seconds = (performance.now() - started) / 1000;
        if (kind === 'command') {
          commands.inc({ command: name, outcome: outcomeOfCommand(error) });
          commandSeconds.observe(seconds);
          if (error instanceof Refusal) refusals.inc({ rule: error.code });
          const outcome = renewals[name];
          if (outcome !== undefined && error === undefined) renewed.inc({ outcome });
        } else if (kind === 'step') {
          steps.inc({ step: name, outcome: outcomeOfStep(error) });
          stepSeconds.observe(seconds);
        } else {
          calls.inc({ call: name, outcome: outcomeOfCall(error, answer) });
          callSeconds.observe({ call: name }, seconds);
        }
      }
    },
    usage: (outcome, count) => usage.inc({ outcome }, count),
  };
}

/** A scrape is given up by its scraper after some seconds, and would tell nothing at all of a database that is away. */
function soon<T>(work: Promise<T>): Promise<T | undefined> {
  let late: NodeJS.Timeout | undefined;
  const patience = new Promise<undefined>((resolve) => {
    late = setTimeout(() => resolve(undefined), patienceMs);
  });
  return Promise.race([work, patience]).finally(() => clearTimeout(late));
}

function outcomeOfCommand(error: unknown): string {
  if (error === undefined) return 'ok';
  if (error instanceof AirtimeError) return error.status >= 500 ? 'unavailable' : 'refused';
  return error instanceof LeaseLost ? 'lost' : 'failed';
}

function outcomeOfStep(error: unknown): string {
  if (error === undefined) return 'ok';
  if (error instanceof LeaseLost) return 'lost';
  return error instanceof TryLater || error instanceof OutcomeUnknown ? 'later' : 'failed';
}

/** An answer of the outside names its outcome: `captured`, `declined`, `confirmed`; a callback its kind. */
function outcomeOfCall(error: unknown, answer: unknown): string {
  if (error instanceof OutcomeUnknown) return 'unknown';
  if (error instanceof RequestRefused) return 'refused';
  if (error !== undefined) return 'failed';
  if (typeof answer !== 'object' || answer === null) return 'ok';
  if ('outcome' in answer && typeof answer.outcome === 'string') return answer.outcome;
  return 'kind' in answer && typeof answer.kind === 'string' ? answer.kind : 'ok';
}

/** Looks at pool and database whenever somebody scrapes; nothing is asked while nobody does. */
export function measureDatabase(
  registry: Registry,
  pool: Pool,
  now: () => number,
  read: (pool: Pool) => Promise<Figures> = readFigures,
): void {
  const registers = [registry];
  let asked = Number.NEGATIVE_INFINITY;
  let figures: Promise<Figures | undefined> = Promise.resolve(undefined);
  const current = (): Promise<Figures | undefined> => {
    if (now() - asked > figuresMsMax) {
      asked = now();
      figures = soon(read(pool).catch(() => undefined));
    }
    return figures;
  };
  const connections: Gauge<'state'> = new Gauge({
    name: 'airtime_database_connections',
    help: 'Connections of this process to the database, by what they do: busy or idle.',
    labelNames: ['state'] as const,
    registers,
    collect: () => {
      connections.set({ state: 'busy' }, pool.totalCount - pool.idleCount);
      connections.set({ state: 'idle' }, pool.idleCount);
    },
  });
  gauge('airtime_database_waiting', 'Work that waits for a connection to the database.', () => pool.waitingCount);
  fromDatabase(
    'airtime_outbox_lag_seconds',
    'How long the oldest event has waited for the relay.',
    ({ outbox }) => outbox.lagSeconds,
  );
  fromDatabase(
    'airtime_outbox_queues',
    'Resources of subscribers with something to be told.',
    ({ outbox }) => outbox.queues,
  );
  fromDatabase('airtime_database_bytes', 'Size of the database.', ({ databaseBytes }) => databaseBytes);
  byState(
    'airtime_payments_last_day',
    'Payments of the last day of business time, by state.',
    ({ payments }) => payments,
  );
  const reachable: Gauge = new Gauge({
    name: 'airtime_database_reachable',
    help: '1 when the database answered the last scrape, or one a moment before.',
    registers,
    collect: async () => reachable.set((await current()) === undefined ? 0 : 1),
  });

  function gauge(name: string, help: string, value: () => number): void {
    const one: Gauge = new Gauge({ name, help, registers, collect: () => one.set(value()) });
  }

  /** A database that does not answer has no figures: a gap in the picture, and no figure of an hour ago. */
  function fromDatabase(name: string, help: string, value: (figures: Figures) => number): void {
    const one: Gauge = new Gauge({
      name,
      help,
      registers,
      collect: async () => {
        const found = await current();
        if (found) one.set(value(found));
        else one.remove();
      },
    });
  }

  function byState(name: string, help: string, values: (figures: Figures) => Readonly<Record<string, number>>): void {
    const one: Gauge<'state'> = new Gauge({
      name,
      help,
      labelNames: ['state'] as const,
      registers,
      collect: async () => {
        const found = await current();
        one.reset();
        for (const [state, count] of Object.entries(found ? values(found) : {})) one.set({ state }, count);
      },
    });
  }
}
