import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { pause } from './server.ts';

// What processes weigh. Memory that several share is counted to each by its part (PSS), so that a sum is true: a database
// is a family of processes over one block of memory.

function parentOf(pid: number): number {
  try {
    // The name in brackets may hold spaces and brackets itself.
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[1]);
  } catch {
    return 0;
  }
}

/** A process and all that descend from it. */
export function familyOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) if (/^\d+$/.test(name)) parents.set(Number(name), parentOf(Number(name)));
  const family = [root];
  for (const member of family) {
    for (const [pid, parent] of parents) if (parent === member) family.push(pid);
  }
  return family;
}

/** Megabytes of PSS, summed. @throws Error where this system does not tell. */
export function pssOf(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids) {
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    } catch (error) {
      // One that has ended between two looks weighs nothing.
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) continue;
      throw error;
    }
    kilobytes += Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
  }
  return kilobytes / 1024;
}

const ticksPerSecond = 100;

/** Milliseconds of processor time of a process and of those of its family that live, and of those it has outlived. */
export function processorMs(root: number): number {
  return familyOf(root).reduce((sum, pid) => {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
      const ticks = fields.slice(11, pid === root ? 15 : 13).reduce((total, one) => total + Number(one), 0);
      return sum + (ticks * 1000) / ticksPerSecond;
    } catch {
      return sum;
    }
  }, 0);
}

const lookMs = 1000;
/** Cores. Above this the machine was not quiet, and a report says so. */
export const busyMin = 0.3;

/** How many cores are busy with something else, while the caller does nothing for a second. */
export async function busyCores(): Promise<number> {
  const spent = () =>
    cpus().reduce(
      ({ idle, all }, { times }) => ({
        idle: idle + times.idle,
        all: all + times.user + times.nice + times.sys + times.irq + times.idle,
      }),
      { idle: 0, all: 0 },
    );
  const before = spent();
  await pause(lookMs);
  const after = spent();
  return (1 - (after.idle - before.idle) / (after.all - before.all)) * cpus().length;
}
