import { readdirSync, readFileSync } from 'node:fs';

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
