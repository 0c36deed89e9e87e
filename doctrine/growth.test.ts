import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runStatement } from '../policy/core/transaction.ts';
import { collectHotStatements } from './growth/collect.ts';
import { missingFrom } from './growth/document.ts';
import { isUntimed, readStatement, worstKey } from './growth/statement.ts';

const document = readFileSync(fileURLToPath(new URL('../docs/growth-statements.md', import.meta.url)), 'utf8');

test('every hot statement is in docs/growth-statements.md, and one that is not is found', async () => {
  const planted = `SELECT count(*) AS planted FROM "usage" WHERE "state" = $1`;
  const found = await collectHotStatements(async ({ policy }) => {
    await runStatement(policy.pool, planted, ['rated']);
  });
  // Every path was walked, and functions were looked into.
  expect(found.length).toBeGreaterThan(100);
  expect(new Set(found.map(({ path }) => path))).toEqual(
    new Set(['workers', 'events', 'selling', 'charging', 'looking', 'empty, and topped up', 'renewal', 'beside']),
  );
  expect(found.some(({ text }) => text.includes('FROM "bucket" b WHERE b."subscription_id" = ANY (v_lines)'))).toBe(
    true,
  );

  const missing = missingFrom(document, found);
  expect(
    missing.filter(({ path }) => path !== 'beside').map(({ text }) => text),
    'a hot statement is new or has changed: see what it asks of a spread database, then make growth-statements',
  ).toEqual([]);
  expect(missing.map(({ text }) => text)).toEqual([planted]);
  const [one] = missing;
  expect(one && [worstKey(one), isUntimed(one)]).toEqual(['none', true]);
});

const explained = (text: string, plan: object) => readStatement(JSON.stringify({ 'Query Text': text, Plan: plan }));
const scan = (table: string, condition: string, more: object = {}) => ({
  'Node Type': 'Index Scan',
  'Relation Name': table,
  Alias: table,
  'Index Cond': condition,
  ...more,
});

test.each([
  ['customer', scan('payment', '(customer_id = $1)')],
  ['customer', scan('customer', "((id)::text = 'cus'::text)")],
  ['line', scan('bucket', '(subscription_id = ANY (v_lines))')],
  ['number', scan('number_assignment', '((msisdn = $1) AND (assigned_at <= $2))')],
  ['id', scan('payment', '(id = $1)')],
  ['none', scan('payment', '(customer_id IS NOT NULL)')],
  ['none', scan('payment', '(created_at > $1)')],
  // One that carries the key does not speak for one beside it that does not.
  [
    'id',
    { 'Node Type': 'Nested Loop', Plans: [scan('payment', '(customer_id = $1)'), scan('customer_bill', '(id = $2)')] },
  ],
  [
    'line',
    {
      'Node Type': 'Hash Join',
      'Hash Cond': '(b.subscription_id = s.id)',
      Plans: [{ 'Node Type': 'Seq Scan', 'Relation Name': 'bucket', Alias: 'b' }],
    },
  ],
  [undefined, scan('product_offering', '(code = $1)')],
] as const)('a plan is found by %s', (key, plan) => {
  expect(worstKey(explained('SELECT 1', plan))).toBe(key);
});

test('a row that is written carries the key that is among its columns', () => {
  const written = (columns: string) =>
    explained(`INSERT INTO "bucket" (${columns}) VALUES ($1)`, {
      'Node Type': 'ModifyTable',
      Operation: 'Insert',
      'Relation Name': 'bucket',
    });
  expect(worstKey(written('"id", "customer_id"'))).toBe('customer');
  expect(worstKey(written('"id", "kind"'))).toBe('id');
});

test('usage is timed when its date is compared, and only then', () => {
  expect(isUntimed(explained('SELECT 1', scan('usage', '((subscription_id = $1) AND (usage_date >= $2))')))).toBe(
    false,
  );
  expect(isUntimed(explained('SELECT 1', scan('usage', '(subscription_id = $1)')))).toBe(true);
  expect(isUntimed(explained('SELECT 1', scan('event', '(position > $1)')))).toBe(false);
});
