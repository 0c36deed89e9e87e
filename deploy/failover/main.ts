import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exited, MeansMissing, program } from './parts.ts';

/**
 * A primary that fails over to its synchronous replica, under load. Everything runs in network namespaces of this run,
 * which have no way out: this part makes them, lets `run.ts` work in the first of them, and takes them away again.
 */
const nodes = 3;
const runMsMax = 12 * 60_000;
/** Of the range that is set aside for such tests of networks. */
const network = '198.18.77';

function means() {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new MeansMissing('network namespaces need Linux and root: run this as root.');
  const binaries = process.env.AIRTIME_POSTGRES_BIN ?? '/usr/lib/postgresql/15/bin';
  program(
    join(binaries, 'pg_rewind'),
    'install PostgreSQL 15 or later, and name its programs by AIRTIME_POSTGRES_BIN.',
  );
  const user = process.env.AIRTIME_FAILOVER_USER ?? 'postgres';
  try {
    execFileSync('id', ['-u', user], { stdio: 'ignore' });
  } catch {
    throw new MeansMissing(
      `there is no user ${user}: PostgreSQL does not run as root. Name one by AIRTIME_FAILOVER_USER.`,
    );
  }
  const setpriv = program('setpriv', 'apt-get install util-linux');
  const patroni = program(
    process.env.AIRTIME_PATRONI ?? 'patroni',
    'pip install "patroni[etcd3]" psycopg2-binary, and name the program by AIRTIME_PATRONI.',
  );
  try {
    // By way of a shell, for Patroni starts itself again: a Python in somebody's home would begin well and then hang.
    const asUser = [`--reuid=${user}`, `--regid=${user}`, '--clear-groups', 'sh', '-c', '"$0" --version', patroni];
    execFileSync(setpriv, asUser, { stdio: 'ignore', cwd: '/' });
  } catch {
    throw new MeansMissing(
      `${user} may not run ${patroni}: make its environment with a Python that everybody may run.`,
    );
  }
  return {
    ip: program('ip', 'apt-get install iproute2'),
    etcd: program('etcd', 'apt-get install etcd-server'),
    haproxy: program('haproxy', 'apt-get install haproxy'),
    setpriv,
    patroni,
    binaries,
    user,
  };
}

export type Means = ReturnType<typeof means>;

async function main(): Promise<number> {
  const found = means();
  const run = (...args: string[]) =>
    execFileSync(found.ip, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  const name = (part: string | number) => `airtime-${process.pid}-${part}`;
  const hub = name('hub');
  const made: string[] = [];
  const directory = mkdtempSync(join(tmpdir(), 'airtime-failover-'));
  chmodSync(directory, 0o711);

  const clear = (): void => {
    for (const space of made) {
      // Only what this run started lives in its namespaces.
      for (const pid of run('netns', 'pids', space).split('\n').filter(Boolean)) {
        try {
          process.kill(Number(pid), 'SIGKILL');
        } catch {
          // It ended by itself.
        }
      }
      run('netns', 'del', space);
    }
    made.length = 0;
    if (!process.env.AIRTIME_FAILOVER_KEEP) rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
    else process.stdout.write(`kept: ${directory}\n`);
  };

  try {
    try {
      run('netns', 'add', hub);
    } catch (error) {
      throw new MeansMissing(
        `network namespaces are not allowed here: ${error instanceof Error ? error.message : error}`,
      );
    }
    made.push(hub);
    run('-n', hub, 'link', 'set', 'lo', 'up');
    run('-n', hub, 'link', 'add', 'hub', 'type', 'bridge');
    run('-n', hub, 'addr', 'add', `${network}.1/24`, 'dev', 'hub');
    run('-n', hub, 'link', 'set', 'hub', 'up');
    for (let node = 1; node <= nodes; node += 1) {
      const space = name(node);
      run('netns', 'add', space);
      made.push(space);
      run('-n', hub, 'link', 'add', `node${node}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
      run('-n', hub, 'link', 'set', `node${node}`, 'master', 'hub', 'up');
      run('-n', space, 'link', 'set', 'lo', 'up');
      run('-n', space, 'addr', 'add', `${network}.${10 + node}/24`, 'dev', 'eth0');
      run('-n', space, 'link', 'set', 'eth0', 'up');
    }
    const child = spawn(
      found.ip,
      [
        ...['netns', 'exec', hub, process.execPath, ...process.execArgv],
        fileURLToPath(new URL('run.ts', import.meta.url)),
        JSON.stringify({
          ...found,
          directory,
          hub,
          network,
          spaces: made.slice(1),
          planted: process.argv.includes('--planted'),
        }),
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    const late = setTimeout(() => {
      process.stdout.write(`not at its end after ${runMsMax / 60_000} minutes\n`);
      child.kill('SIGKILL');
    }, runMsMax);
    // A terminal and what runs us may both say it: the second must not end us while we clear away.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGKILL'));
    await exited(child);
    clearTimeout(late);
    return child.exitCode ?? 1;
  } finally {
    clear();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`failover: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof MeansMissing ? 2 : 1;
}
