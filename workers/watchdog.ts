import { Gauge, type Registry } from 'prom-client';
import type { MachineClock } from '../kernel/clock.ts';
import type { Policy } from '../policy/core/command.ts';
import { readMachinery } from '../read/views/health.ts';
import { type Loop, makeLoop } from './loop.ts';
import type { WorkerLog } from './worker.ts';

const everyMs = 10_000;

export interface WatchdogParts {
  readonly pool: Policy['pool'];
  readonly clock: MachineClock;
  readonly log: WorkerLog;
  readonly metrics: Registry;
  readonly everyMs?: number;
}

/**
 * Looks at the machinery every few seconds and reports: a line in the log when an alarm begins and when it ends, gauges
 * for whoever scrapes. It repairs nothing: what to do is an operator's decision, and the alarm names the command.
 */
export function makeWatchdog({ pool, clock, log, metrics, everyMs: pauseMs = everyMs }: WatchdogParts): Loop {
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers: [metrics] });
  const due = gauge('airtime_flow_steps_due', 'Steps of work that are due and in nobody’s hands.');
  const retrying = gauge('airtime_flow_steps_retrying', 'Steps of work that failed and wait for their next try.');
  const given = gauge('airtime_flow_steps_parked', 'Steps of work that were given up until an operator looks at them.');
  const oldest = gauge('airtime_flow_step_oldest_due_seconds', 'How long the oldest due step has waited.');
  const pending = gauge('airtime_network_tasks_pending', 'Tasks that the network has not confirmed.');
  const lag = gauge(
    'airtime_network_task_oldest_seconds',
    'Age of the oldest task that the network has not confirmed.',
  );
  const parked = gauge('airtime_notifications_parked', 'Subscribers and resources whose notifications are parked.');
  const numbers = gauge('airtime_numbers_available', 'Numbers that are left to sell.');
  const esims = gauge('airtime_esims_available', 'eSIM profiles that are left to sell.');
  const alarms = new Gauge({
    name: 'airtime_alarm',
    help: '1 while an operator should act.',
    labelNames: ['code'] as const,
    registers: [metrics],
  });
  const sounding = new Set<string>();

  async function look(): Promise<boolean> {
    const { steps, network, notifications, stock, alarms: found } = await readMachinery(pool);
    due.set(steps.due);
    retrying.set(steps.retrying);
    given.set(steps.parked ?? 0);
    oldest.set(steps.oldestDueSeconds);
    pending.set(network.pending);
    lag.set(network.oldestSeconds);
    parked.set(notifications.parkedHubs + notifications.parkedResources);
    numbers.set(stock.numbers);
    esims.set(stock.esims);
    for (const { code, sentence, command } of found) {
      if (!sounding.has(code)) log.warn({ alarm: code, mend: command }, sentence);
      sounding.add(code);
      alarms.set({ code }, 1);
    }
    for (const code of sounding) {
      if (found.some((alarm) => alarm.code === code)) continue;
      sounding.delete(code);
      alarms.set({ code }, 0);
      log.warn({ alarm: code }, 'the alarm is over');
    }
    return false;
  }

  return makeLoop(clock, pauseMs, look, (error) =>
    log.warn(
      { reason: error instanceof Error ? error.message : String(error) },
      'the machinery could not be looked at',
    ),
  );
}
