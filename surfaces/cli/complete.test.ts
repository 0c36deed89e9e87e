import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import tools from '../../generated/tools.json' with { type: 'json' };
import { candidates } from './complete.ts';
import { completionScript } from './completion.ts';
import { readVerbs } from './descriptors.ts';

const verbs = readVerbs(tools);
const execute = promisify(execFile);
const lists: Readonly<Record<string, object[]>> = {
  'customer.list': [
    { id: 'cus_1', name: 'Ada Lim', email: 'ada@example.com' },
    { id: 'cus_2', name: 'Ben\u001b[2J\tTan', email: null },
  ],
  'subscription.list': [{ id: 'sub_1', msisdn: '6581000000', customer: { name: 'Ada Lim' }, plan: { code: 'PLAN_S' } }],
  'order.list': [{ id: 'ord_1', customer: { name: 'Ada Lim' }, offerings: ['PLAN_S'], state: 'completed' }],
  'offering.list': [
    { code: 'PLAN_S', name: 'Lite' },
    { code: 'PLAN_M', name: 'Standard' },
    { code: null, name: 'Old' },
  ],
  'token.list': [{ id: 'tok_1', name: 'CRM', audience: 'integrator' }],
};

async function values(line: string): Promise<string[]> {
  const found = await candidates(line.split(' ').slice(1), verbs, async (tool) => ({ items: lists[tool] ?? [] }), {});
  return found.map(({ value }) => value);
}

test('nouns, verbs, flags and what stands alone are completed', async () => {
  expect(await values('bss subsc')).toEqual(['subscription']);
  expect(await values('bss ')).toEqual(
    expect.arrayContaining(['customer', 'trace', 'top', 'doctor', 'profile', 'preview', 'tools', 'help']),
  );
  expect(await values('bss subscription to')).toEqual(['top-up']);
  expect(await values('bss usage im')).toEqual(['import']);
  expect(await values('bss order list --st')).toEqual(['--state']);
  expect(await values('bss order list --js')).toEqual(['--json']);
  expect(await values('bss completion ')).toEqual(['bash', 'zsh', 'fish']);
  expect(await values('bss profile us')).toEqual(['use']);
  expect(await values('bss usage import ju')).toEqual([':files']);
  expect(await values('bss help se')).toEqual(['search']);
  expect(await values('bss tools --au')).toEqual(['--audience']);
  expect(await values('bss tools ticket --audience c')).toEqual(['customer']);
  expect(await values('bss nothing ')).toEqual([]);
});

test('a word that the console has itself is offered once', async () => {
  const own = [{ value: 'help', about: 'what can be typed here' }];
  expect(await candidates(['hel'], verbs, async () => undefined, {}, own)).toEqual(own);
});

test('ids and choices that are there are completed at their place', async () => {
  expect(await values('bss customer show ')).toEqual(['cus_1', 'cus_2']);
  expect(await values('bss order place cus_1 ')).toEqual(['PLAN_S', 'PLAN_M']);
  expect(await values('bss order place cus_1 PLAN_M')).toEqual(['PLAN_M']);
  expect(await values('bss --json order place cus_')).toEqual(['cus_1', 'cus_2']);
  expect(await values('bss --profile x order place cus_')).toEqual(['cus_1', 'cus_2']);
  expect(await values('bss usage record 65')).toEqual(['6581000000']);
  expect(await values('bss usage record 6581000000 d')).toEqual(['data']);
  expect(await values('bss trace ')).toEqual(['ord_1', 'sub_1', 'cus_1', 'cus_2']);
  expect(await values('bss token revoke ')).toEqual(['tok_1']);
  expect(await values('bss event list --customer-id ')).toEqual(['cus_1', 'cus_2']);
  expect(await values('bss ticket open a b --customer-id cus_2')).toEqual(['cus_2']);
});

test('a name stands for the one thing that bears it', async () => {
  expect(await values('bss customer show ada')).toEqual(['cus_1']);
  expect(await values('bss usage record Ada')).toEqual(['6581000000']);
  expect(await values('bss trace ada')).toEqual(['ord_1']);
  expect(await values('bss order place cus_1 standard')).toEqual(['PLAN_M']);
  expect(await values('bss customer show an')).toEqual(['cus_2']);
  expect(await values('bss customer show a')).toEqual([]);
});

test('preview completes what can be previewed and no more', async () => {
  expect(await values('bss preview cl')).toEqual([]);
  expect(await values('bss preview order pl')).toEqual(['place']);
  expect(await values('bss preview order place cus_1 PLAN_S')).toEqual(['PLAN_S']);
});

test('what people wrote cannot act on a terminal, and a server that says nothing is no candidate', async () => {
  const of = (answer: unknown) => candidates(['customer', 'show', ''], verbs, async () => answer, {});
  const [, hostile] = await of({ items: lists['customer.list'] });
  expect(hostile?.about).toBe('Ben Tan');
  for (const answer of [undefined, null, {}, { items: 'x' }, [null, 1], { items: [{ id: 3 }] }]) {
    expect(await of(answer)).toEqual([]);
  }
});

// ---- real shells ----

const root = mkdtempSync(join(tmpdir(), 'airtime-completion-'));
const bss = join(root, 'bss');
let server: Server;
let url = '';

beforeAll(async () => {
  server = createServer((request, response) => {
    const tool = request.url?.replace('/tools/', '') ?? '';
    response.end(JSON.stringify({ result: { items: lists[tool] ?? [] } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const tsx = fileURLToPath(import.meta.resolve('tsx'));
  writeFileSync(bss, `#!/bin/sh\nexec "${process.execPath}" --import "file://${tsx}" "${main}" "$@"\n`);
  chmodSync(bss, 0o755);
  for (const shell of ['bash', 'zsh', 'fish']) writeFileSync(join(root, shell), completionScript(shell));
});
afterAll(() => {
  server?.close();
  rmSync(root, { recursive: true });
});

/** What a shell offers for a line, asked of the shell itself. */
const asks: Readonly<Record<string, (words: readonly string[]) => string>> = {
  bash: (words) => `source '${join(root, 'bash')}'
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _bss
printf '%s\\n' "\${COMPREPLY[@]}"`,
  zsh: (words) => `compdef() { :; }; _files() { :; }; _describe() { print -l -- "\${(@)\${(P)2}%%:*}"; }
source '${join(root, 'zsh')}'
words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length}; _bss`,
  fish: (words) => `source '${join(root, 'fish')}'
complete -C '${words.join(' ')}' | string split -f1 \\t`,
};

for (const [shell, ask] of Object.entries(asks)) {
  const isThere = spawnSync(shell, ['-c', 'true']).status === 0;
  if (!isThere) process.stdout.write(`completion in ${shell}: NOT RUN, ${shell} is not installed here\n`);
  test.skipIf(!isThere)(`${shell} completes verbs, flags and live ids`, async () => {
    const offered = async (...words: string[]): Promise<string[]> => {
      const { stdout } = await execute(
        shell,
        shell === 'fish' ? ['--no-config', '-c', ask(['bss', ...words])] : ['-c', ask(['bss', ...words])],
        { env: { PATH: `${root}:${process.env.PATH}`, HOME: root, AIRTIME_URL: url, AIRTIME_TOKEN: 'air_x' } },
      );
      return stdout.split('\n').filter(Boolean).sort();
    };
    expect(await offered('subscription', 'to')).toEqual(['top-up']);
    expect(await offered('order', 'list', '--st')).toEqual(['--state']);
    expect(await offered('customer', 'show', 'cus_')).toEqual(['cus_1', 'cus_2']);
  });
}
