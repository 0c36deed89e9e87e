import { spawnSync } from 'node:child_process';
import { chownSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A numeric user and group, as the kernel knows them. */
export interface UserId {
  uid: number;
  gid: number;
}

/** True when the process runs. A zombie does not: in a container nobody may ever collect it. */
export function processIsAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
  return processStatus(pid)?.state !== 'Z';
}

/** State letter and start time (clock ticks since boot) from /proc; undefined where there is no /proc. */
function processStatus(pid: number): { state: string; started: string } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name in brackets may itself hold spaces and brackets, so read from the last bracket on.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', started: fields[19] ?? '' };
}

/** A name for a process that a later process with the same number does not share (on Linux). */
export function processStamp(pid: number): string {
  return `${pid} ${processStatus(pid)?.started ?? ''}`.trim();
}

/** True when the process that wrote the stamp still runs. */
export function stampIsAlive(stamp: string): boolean {
  const pid = Number(stamp.split(' ')[0]);
  return processIsAlive(pid) && processStamp(pid) === stamp.trim();
}

/** The folder a process works in; undefined when this system or its rights do not tell. */
export function workingDirectory(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

/** The words a process was started with; undefined where there is no `ps`, or none such process. */
export function commandLine(pid: number): string | undefined {
  const { status, stdout } = spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Processes that work in the folder. Empty where there is no /proc. */
export function processesIn(directory: string): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => workingDirectory(pid) === directory);
  } catch {
    return [];
  }
}

export function ownerOf(path: string): UserId {
  const { uid, gid } = statSync(path);
  return { uid, gid };
}

/** The user `nobody` of this system, or 65534 where the list of users does not name a usable one. */
export function unprivilegedUser(): UserId {
  try {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((entry) => entry.startsWith('nobody:'));
    const [, , uid, gid] = line?.split(':') ?? [];
    if (Number(uid) > 0 && Number(gid) > 0) return { uid: Number(uid), gid: Number(gid) };
  } catch {
    // No list of users: the conventional number serves.
  }
  return { uid: 65534, gid: 65534 };
}

/** Gives a folder and all in it to a user, without following links. */
export function giveTo(path: string, user: UserId): void {
  const status = lstatSync(path);
  if (status.isSymbolicLink()) return;
  if (status.isDirectory()) for (const name of readdirSync(path)) giveTo(join(path, name), user);
  if (status.uid !== user.uid || status.gid !== user.gid) chownSync(path, user.uid, user.gid);
}

export function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
