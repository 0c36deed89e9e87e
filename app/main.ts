import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { z } from 'zod';
import { logOptions } from '../surfaces/http/log.ts';
import { type Configuration, ConfigurationError, paths, readConfiguration } from './configuration.ts';
import { stopEmbedded } from './database/embedded-postgres.ts';
import { nodeOptions } from './node-options.ts';

const usage = `airtime: a BSS in one process

  airtime serve      run the server in the foreground
  airtime start      run it in the background; does nothing when it already runs
  airtime stop       stop server and embedded database
  airtime status     say what runs
  airtime token      make a new operator token and keep it for bss

The environment decides where it listens and which database it uses; see the README.
`;

const [verb, ...rest] = process.argv.slice(2);

async function main(name: string): Promise<number> {
  if (rest.length > 0) {
    process.stderr.write(
      `airtime takes one verb and no arguments. Secrets are given by environment or file, never by argument.\n${usage}`,
    );
    return 2;
  }
  switch (name) {
    case 'serve':
      return serve(readConfiguration(process.env));
    case 'start':
      return start(readConfiguration(process.env));
    case 'stop':
      return stop(readConfiguration(process.env));
    case 'status':
      return status(readConfiguration(process.env));
    case 'token':
      return token(readConfiguration(process.env));
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(usage);
      return 0;
    default:
      // What was typed is not repeated: it may be a secret that belongs into the environment.
      process.stderr.write(
        `airtime: there is no such verb. Secrets are given by environment or file, never by argument.\n${usage}`,
      );
      return 2;
  }
}

/** Runs until it is told to stop. A second signal does not wait for what is in hand. */
async function serve(configuration: Configuration): Promise<number> {
  const place = paths(configuration.home);
  mkdirSync(configuration.home, { recursive: true, mode: 0o700 });
  const running = runningServer(place.pid);
  if (running !== undefined && running !== process.pid) {
    throw new Error(`a server already runs here (process ${running}). Stop it with: make stop`);
  }
  const log = pino(logOptions(configuration.logLevel));
  process.on('unhandledRejection', (reason) => {
    log.fatal({ err: reason }, 'a promise was left alone');
    process.exit(1);
  });
  writeFileSync(place.pid, `${process.pid}\n`);
  // Signals are heard from here on: one that comes during the start ends it once it is safe.
  const told = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve(signal);
      });
    }
  });
  try {
    const { startPlatform } = await import('./platform.ts');
    const days = process.env.AIRTIME_STORY_DAYS;
    const platform = await startPlatform(configuration, log, days ? { historyDays: Number(days) } : {});
    log.info({ url: platform.url }, 'airtime serves');
    const signal = await told;
    log.info({ signal }, 'airtime stops');
    await platform.stop();
    return 0;
  } finally {
    rmSync(place.pid, { force: true });
  }
}

function runningServer(pidFile: string): number | undefined {
  if (!existsSync(pidFile)) return undefined;
  const pid = Number(readFileSync(pidFile, 'utf8').trim());
  return Number.isInteger(pid) && pid > 0 && isServer(pid) ? pid : undefined;
}

/** A pid file may outlive its process, and the number may be somebody else's by now. */
function isServer(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  const commandLine = `/proc/${pid}/cmdline`;
  return !existsSync(commandLine) || readFileSync(commandLine, 'utf8').includes(basename(process.argv[1] ?? 'airtime'));
}

const connection = z.object({ url: z.string(), token: z.string() });

function readConnection(file: string): z.infer<typeof connection> | undefined {
  if (!existsSync(file)) return undefined;
  return connection.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data;
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/ready`, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false;
  }
}

const startMsMax = 60_000;
const stopMsMax = 30_000;

async function start(configuration: Configuration): Promise<number> {
  const place = paths(configuration.home);
  const pid = runningServer(place.pid);
  const known = readConnection(place.cli);
  if (pid !== undefined && known && (await isReady(known.url))) {
    process.stdout.write(`Airtime already serves at ${known.url} (process ${pid}).\n`);
    return 0;
  }
  mkdirSync(configuration.home, { recursive: true, mode: 0o700 });
  const output = openSync(place.log, 'a', 0o600);
  const began = Date.now();
  const words = [...nodeOptions, ...process.execArgv, fileURLToPath(import.meta.url), 'serve'];
  const child = spawn(process.execPath, words, { detached: true, stdio: ['ignore', output, output], env: process.env });
  child.unref();
  let exited = false;
  child.once('exit', () => {
    exited = true;
  });
  for (;;) {
    const made = readConnection(place.cli);
    if (made && runningServer(place.pid) === child.pid && (await isReady(made.url))) {
      process.stdout.write(`Airtime serves at ${made.url} after ${((Date.now() - began) / 1000).toFixed(1)} s.\n`);
      return 0;
    }
    if (exited || Date.now() - began > startMsMax) {
      process.stderr.write(`Airtime did not start. The end of ${place.log}:\n${tail(place.log)}`);
      return 1;
    }
    await pause(30);
  }
}

function tail(file: string): string {
  return existsSync(file) ? `${readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8).join('\n')}\n` : '';
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function stop(configuration: Configuration): Promise<number> {
  const place = paths(configuration.home);
  const pid = runningServer(place.pid);
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM');
    const began = Date.now();
    // The file goes before the process does: it is the process that is waited for.
    while (isServer(pid) && Date.now() - began < stopMsMax) await pause(20);
    if (isServer(pid)) {
      process.stderr.write(`Airtime (process ${pid}) did not stop in ${stopMsMax / 1000} s.\n`);
      return 1;
    }
  }
  // A server that was killed leaves its database behind.
  const database = configuration.databaseUrl === undefined && (await stopEmbedded(place.postgres));
  rmSync(place.pid, { force: true });
  process.stdout.write(pid === undefined && !database ? 'Airtime was not running.\n' : 'Airtime has stopped.\n');
  return 0;
}

async function status(configuration: Configuration): Promise<number> {
  const place = paths(configuration.home);
  const pid = runningServer(place.pid);
  const known = readConnection(place.cli);
  const ready = known !== undefined && (await isReady(known.url));
  process.stdout.write(
    pid === undefined
      ? 'Airtime does not run.\n'
      : `Airtime runs (process ${pid}), ${ready ? `ready at ${known.url}` : 'not ready'}.\n`,
  );
  return pid !== undefined && ready ? 0 : 1;
}

/** For whoever holds the machine: works on the database itself, so it needs no token and no server. */
async function token(configuration: Configuration): Promise<number> {
  const { mintOperatorToken } = await import('./platform.ts');
  const made = await mintOperatorToken(configuration, pino(logOptions('warn')));
  process.stdout.write(`${made}\n`);
  return 0;
}

try {
  process.exitCode = await main(verb ?? 'help');
} catch (error) {
  process.stderr.write(`airtime: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof ConfigurationError ? 2 : 1;
}
