import type { Pool } from 'pg';
import { z } from 'zod';
import { callTool, pause } from './server.ts';

const row = z.looseObject({ id: z.string() });
const settleMsMax = 30_000;

/** One active line, made as any is: a customer with a card orders a plan. @returns its id. */
export async function makeLine(server: { url: string; token: string }, pool: Pool, plan: string): Promise<string> {
  const email = `bench-${Date.now()}@example.com`;
  const customer = row.parse(
    await callTool(server, 'customer.register', { givenName: 'Ada', familyName: 'Lim', email }),
  );
  await callTool(server, 'card.add', { customerId: customer.id, token: 'tok_visa' });
  await callTool(server, 'order.place', { customerId: customer.id, offering: plan });
  const until = Date.now() + settleMsMax;
  while (Date.now() < until) {
    const { rows } = await pool.query(
      `SELECT "id" FROM "subscription" WHERE "customer_id" = $1 AND "state" = 'active' AND NOT EXISTS (
         SELECT 1 FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" <= business_now())`,
      [customer.id],
    );
    if (rows.length > 0) return row.parse(rows[0]).id;
    await pause(100);
  }
  throw new Error(`the first line was not active after ${settleMsMax / 1000} s`);
}

/** What a line consists of, and by which column its rows are found. */
const parts: readonly (readonly [table: string, where: string])[] = [
  ['customer', '"id" = s."customer_id"'],
  ['email_directory', '"customer_id" = s."customer_id"'],
  ['billing_account', '"customer_id" = s."customer_id"'],
  ['payment_method', '"customer_id" = s."customer_id"'],
  ['subscription', '"id" = s."id"'],
  ['service', '"subscription_id" = s."id"'],
  ['phone_number', '"subscription_id" = s."id"'],
  ['number_assignment', '"subscription_id" = s."id"'],
  ['esim_profile', '"subscription_id" = s."id"'],
  ['line_state', '"subscription_id" = s."id"'],
  ['bucket', '"subscription_id" = s."id"'],
  ['flow_step', `"subject" = s."id" AND t."state" = 'waiting'`],
];

const idColumns = ['id', 'email', 'msisdn', 'iccid', 'activation_code', 'key'];

/**
 * Copies a line so many times, by SQL within one named command: each copy has a customer, a card, a number, an eSIM
 * profile, quota and its next renewal of its own. What was paid for the first is not copied.
 * @param from the number of the first copy, where others were made before; there is room for 999,999.
 */
export async function copyLines(pool: Pool, lineId: string, count: number, from = 1): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SET LOCAL statement_timeout = 0`);
    await client.query(
      `SELECT begin_command('bench.lines', '{"audience": "system", "id": "system", "name": "bench"}')`,
    );
    const found: { table: string; text: string }[] = [];
    const names = new Set<string>();
    for (const [table, where] of parts) {
      const { rows } = await client.query<{ made: Record<string, unknown> }>(
        `SELECT to_jsonb(t) AS made FROM "subscription" s JOIN "${table}" t ON t.${where} WHERE s."id" = $1`,
        [lineId],
      );
      for (const { made } of rows) {
        for (const column of idColumns) {
          const value = made[column];
          if (typeof value === 'string' && value !== '') names.add(value);
        }
        // Positions of a history are given out anew.
        found.push({ table, text: JSON.stringify(table === 'line_state' ? { ...made, position: undefined } : made) });
      }
    }
    // The longest first: a step's key holds the id of its line. Those that a row does not hold are not sought in each copy.
    const sorted = [...names].sort((a, b) => b.length - a.length);
    const renamedIn = (text: string) =>
      sorted.reduce(
        (made, name, place) =>
          text.includes(name) ? `replace(${made}, ${quoted(name)}, ${other(name, place)})` : made,
        '$1',
      );
    // A row is made once and taken apart: written as (…).* it would be made once for each of its columns.
    for (const { table, text } of found) {
      const { rows } = await client.query<{ columns: string }>(
        `SELECT string_agg(format('%I', column_name), ', ' ORDER BY ordinal_position) AS columns FROM information_schema.columns
          WHERE table_schema = 'public' AND table_name = $1 AND NOT (table_name = 'line_state' AND column_name = 'position')`,
        [table],
      );
      const columns = rows[0]?.columns ?? '';
      await client.query(
        `INSERT INTO "${table}" (${columns}) SELECT ${columns} FROM generate_series($2::int, $3::int) n,
           LATERAL jsonb_populate_record(NULL::"${table}", (${renamedIn(text)})::jsonb) made`,
        [text, from, from + count - 1],
      );
    }
    await client.query('COMMIT');
    for (const [table] of parts) await client.query(`ANALYZE "${table}"`).catch(() => undefined);
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

// Ids of one instant differ in their last letters only, so each gets its place beside the number of the copy.
/** The name of the n-th copy: ids keep their length, for so they are checked; numbers get a range of their own. */
function other(name: string, place: number): string {
  if (/^\d+$/.test(name)) return `'${name.length > 12 ? `${name.slice(0, -8)}9` : '659'}' || lpad(n::text, 7, '0')`;
  if (/^[a-z]+_[0-9a-z]{26}$/.test(name))
    return `${quoted(`${name.slice(0, -8)}${String(place).padStart(2, '0')}`)} || lpad(n::text, 6, '0')`;
  return `${quoted(`${name}-`)} || n`;
}

/** Numbers of the copies, in the order in which they were made. */
export async function numbersOf(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ msisdn: string }>(
    `SELECT "msisdn" FROM "subscription" WHERE "state" = 'active' AND "msisdn" IS NOT NULL ORDER BY "id"`,
  );
  return rows.map(({ msisdn }) => msisdn);
}
