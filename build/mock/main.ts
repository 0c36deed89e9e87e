/**
 * `npx tsx build/mock/main.ts [port]` serves a mock of every API on one port of this machine, at the paths of the server,
 * until it is stopped. The mock is Prism (https://github.com/stoplightio/prism), which npx fetches when it is first
 * asked for: 90 MB that few need, and so no part of the installation.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isJsonObject } from '../../kernel/json.ts';
import { mockDocument } from './mock-document.ts';

const root = resolve(import.meta.dirname, '../..');
const port = process.argv[2] ?? '4010';
if (!/^\d{1,5}$/.test(port)) {
  process.stderr.write(`${port} is no port.\n`);
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'airtime-mock-'));
const file = join(folder, 'airtime.json');
const address = `http://127.0.0.1:${port}`;
const document = mockDocument(address, (api) => {
  const read: unknown = JSON.parse(readFileSync(join(root, 'generated/openapi', `${api}.json`), 'utf8'));
  if (!isJsonObject(read)) throw new Error(`${api} is no document`);
  return read;
});
writeFileSync(file, JSON.stringify(document));

process.stdout.write('Prism reads the contracts, which takes it about 20 seconds.\n');
const prism = spawn(
  'npx',
  ['--yes', '@stoplight/prism-cli@5.14.2', 'mock', '--host', '127.0.0.1', '--port', port, file],
  {
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
  },
);
// npx starts a shell that starts Prism: the whole group is ended, for npx does not pass a signal on.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (prism.pid !== undefined) process.kill(-prism.pid, signal);
  });
}
prism.on('error', (error) => process.stderr.write(`npx could not be run: ${error.message}\n`));
let isOver = false;
prism.on('exit', (code) => {
  isOver = true;
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = code ?? 0;
});

while (!isOver && !(await answers())) await new Promise((resolve) => setTimeout(resolve, 300));
if (!isOver) process.stdout.write(`A mock of every API answers at ${address}, to any token. Ctrl-C ends it.\n`);

async function answers(): Promise<boolean> {
  return fetch(address).then(
    () => true,
    () => false,
  );
}
