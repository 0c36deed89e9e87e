import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type RunningServer, startServer, workFolder } from './server.ts';

// Files of customers and of numbers, taken over by the shipped terminal from the shipped server: how many rows a second,
// and what both programs weigh meanwhile. One row in a hundred is bad. The file of customers is then sent once more, as
// after a line that broke, and nothing of it may be done twice.

const { values } = parseArgs({ options: { rows: { type: 'string', default: process.env.ROWS ?? '100000' } } });
const rows = Number(values.rows);
if (!Number.isInteger(rows) || rows < 100) throw new Error('--rows is a number of at least 100');
const root = fileURLToPath(new URL('..', import.meta.url));

async function write(path: string, header: string, row: (n: number) => string): Promise<void> {
  const file = createWriteStream(path);
  file.write(`${header}\n`);
  for (let n = 0; n < rows; n += 1) if (!file.write(`${row(n)}\n`)) await once(file, 'drain');
  file.end();
  await once(file, 'finish');
}

/** Memory that a process holds now, in MB. */
function megabytes(pid: number | undefined): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Math.round(Number(kilobytes ?? 0) / 1024);
  } catch {
    return 0;
  }
}

interface Measured {
  what: string;
  seconds: number;
  code: number | null;
  told: string;
  terminalMb: number;
  serverMb: number;
}

async function imported(server: RunningServer, noun: string, path: string, what: string): Promise<Measured> {
  const began = performance.now();
  const child = spawn(process.execPath, [join(root, 'dist/bss.js'), noun, 'import', path, '--to', 'none'], {
    env: { PATH: process.env.PATH, AIRTIME_URL: server.url, AIRTIME_TOKEN: server.token, NO_COLOR: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  child.stderr.on('data', (data: Buffer) => {
    told += data.toString();
  });
  let [terminalMb, serverMb] = [0, 0];
  const looking = setInterval(() => {
    terminalMb = Math.max(terminalMb, megabytes(child.pid));
    serverMb = Math.max(serverMb, megabytes(server.process.pid));
  }, 200);
  const [code] = await once(child, 'close');
  clearInterval(looking);
  return { what, seconds: (performance.now() - began) / 1000, code: Number(code), told, terminalMb, serverMb };
}

const place = workFolder();
const server = await startServer(join(place.folder, 'home'));
let failed = false;
try {
  const isBad = (n: number) => n % 100 === 99;
  const customers = join(place.folder, 'customers.csv');
  const numbers = join(place.folder, 'numbers.csv');
  await write(customers, 'givenName,familyName,email,key', (n) =>
    isBad(n) ? `,Nobody,bad-${n}@example.com,${n}` : `Ada,Lim ${n},ada-${n}@example.com,${n}`,
  );
  await write(numbers, 'msisdn', (n) => (isBad(n) ? 'none' : String(6590000000 + n)));
  const runs = [
    await imported(server, 'customer', customers, 'customers'),
    await imported(server, 'customer', customers, 'the same again'),
    await imported(server, 'number', numbers, 'numbers'),
  ];
  for (const run of runs) {
    const rate = Math.round(rows / run.seconds).toLocaleString('en');
    process.stdout.write(
      `${run.what}: ${rows.toLocaleString('en')} rows in ${run.seconds.toFixed(1)} s, ${rate} a second; terminal ${run.terminalMb} MB, server ${run.serverMb} MB\n`,
    );
  }
  const good = rows - Math.floor(rows / 100);
  const bad = Math.floor(rows / 100);
  const expected = [
    [`${good.toLocaleString('en')} accepted, 0 seen before`, `${bad.toLocaleString('en')} refused`],
    [`0 accepted, ${good.toLocaleString('en')} seen before`, `${bad.toLocaleString('en')} refused`],
    [`${good.toLocaleString('en')} accepted, 0 seen before`, `${bad.toLocaleString('en')} refused`],
  ];
  for (const [index, run] of runs.entries()) {
    for (const words of expected[index] ?? []) {
      if (run.told.includes(words)) continue;
      failed = true;
      process.stderr.write(`${run.what}: expected "${words}", was told:\n${run.told}\n`);
    }
  }
} finally {
  await server.stop();
  await place.remove();
}
if (failed) process.exitCode = 1;
