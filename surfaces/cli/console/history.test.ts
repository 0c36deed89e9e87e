import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { holdsSecret, openHistory } from './history.ts';

const root = mkdtempSync(join(tmpdir(), 'airtime-history-'));
const file = join(root, 'airtime', 'history');
const env = { XDG_CONFIG_HOME: root };
afterAll(() => rmSync(root, { recursive: true }));

const secrets = [
  'token is air_01k9abcdefghijk',
  'my card is 4242 4242 4242 4242',
  'add 4242424242424242',
  'sk_live_51abcdefgh',
  'esim load LPA:1$smdp.example.com$ABC',
  'iccid 8965012345678901234',
  'customer list --token air_x',
  'password: hunter2',
  'hub register TMF622 https://user:secret@example.com',
  'Authorization: Bearer abcdefghijkl',
];

test('what was typed is there the next time, the latest first, for its owner alone', () => {
  const history = openHistory(env);
  for (const line of ['customer list', 'order list', 'order list', ' clock', '  ']) history.add(line);
  expect(history.lines).toEqual(['order list', 'customer list']);
  expect(openHistory(env).lines).toEqual(['order list', 'customer list']);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('no secret is remembered', () => {
  const history = openHistory(env);
  for (const line of secrets) {
    expect([line, holdsSecret(line)]).toEqual([line, true]);
    history.add(line);
  }
  expect(readFileSync(file, 'utf8')).toBe('customer list\norder list\n');
  for (const line of [
    'usage record 6581000000 data 3 GB',
    'card add cus_01k9 tok_visa',
    'token list',
    'bill show bil_1',
  ]) {
    expect([line, holdsSecret(line)]).toEqual([line, false]);
  }
});

test('a long one is cut, and where none can be kept the console works', () => {
  writeFileSync(file, Array.from({ length: 2500 }, (_, index) => `line ${index}`).join('\n'));
  expect(openHistory(env).lines.length).toBe(1000);
  expect(openHistory(env).lines[0]).toBe('line 2499');
  expect(readFileSync(file, 'utf8').trim().split('\n').length).toBe(1000);
  const nowhere = openHistory({});
  nowhere.add('clock');
  expect(nowhere.lines).toEqual(['clock']);
  const broken = openHistory({ XDG_CONFIG_HOME: file });
  broken.add('clock');
  expect(broken.lines).toEqual(['clock']);
});
