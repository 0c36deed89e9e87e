import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { run } from './program.ts';

const whole: unknown = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../../generated/tools-whole.json'), 'utf8'),
);

async function bss(line: string[], columns = 100): Promise<{ code: number; out: string; error: string }> {
  const told = { code: 0, out: '', error: '' };
  const never = () => {
    throw new Error('this verb asks nobody');
  };
  told.code = await run(line, [], '1', {
    folder: '/',
    env: {},
    isInputTty: false,
    isOutputTty: false,
    isErrorTty: false,
    columns: () => columns,
    out: (text) => {
      told.out += text;
    },
    error: (text) => {
      told.error += text;
    },
    readFile: never,
    readLines: never,
    ask: never,
    pause: never,
    fetch: never,
    readTools: () => whole,
  });
  return told;
}

async function listed(...line: string[]): Promise<{ items: JsonObject[]; agent: JsonObject }> {
  const { out } = await bss(['tools', '--json', ...line]);
  const body: unknown = JSON.parse(out);
  if (!isJsonObject(body) || !Array.isArray(body.items)) throw new Error('a list was expected');
  return { items: body.items.filter(isJsonObject), agent: isJsonObject(body.agent) ? body.agent : {} };
}

test('every tool is listed with whole schemas, no server asked', async () => {
  const { items } = await listed();
  expect(items.length).toBeGreaterThan(120);
  const [place] = (await listed('order.place')).items;
  expect(place).toMatchObject({
    name: 'order.place',
    effect: 'money',
    input: { required: ['customerId', 'offering'] },
    output: { properties: { document: { $ref: '#/$defs/ProductOrder' } }, $defs: { ProductOrder: { type: 'object' } } },
  });
});

test('a profile is what its caller sees, with the weight of what its agent is listed', async () => {
  const { items, agent } = await listed('--audience', 'customer');
  expect(items.map(({ name }) => name)).toContain('subscription.list');
  expect(items.map(({ name }) => name)).not.toContain('token.create');
  expect(JSON.stringify(items.map(({ input }) => input))).not.toContain('customerId');
  expect(agent.tokens).toBeLessThan(8000);
  const drawn = await bss(['tools', '--audience', 'customer']);
  expect(drawn.out).toMatch(/^\* {2}bill\.show +read/m);
  expect(drawn.out).toMatch(/An agent is shown \d+ of them unasked, [\d,]+ tokens/);
  for (const line of [['tools'], ['tools', '--audience', 'operator']]) {
    const narrow = (await bss(line, 60)).out.split('\n').map((one) => one.length);
    expect(Math.max(...narrow)).toBeLessThanOrEqual(60);
  }
});

test('an audience that there is not is wrong usage', async () => {
  expect(await bss(['tools', '--audience', 'king'])).toMatchObject({ code: 2, out: '' });
});

test('the server that is named for every verb may be named here too', async () => {
  expect(await bss(['--profile', 'production', 'tools', 'ticket'])).toMatchObject({ code: 0, error: '' });
});
