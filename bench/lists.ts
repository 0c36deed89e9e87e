import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { z } from 'zod';
import { connect } from '../app/database/connect.ts';
import { startDatabase } from '../app/database/start.ts';
import { openTestDirectory, testServer } from '../app/database/testing.ts';
import { AirtimeError } from '../kernel/error.ts';
import { bindingOf } from '../read/bindings.ts';
import { listResources } from '../read/list/list.ts';
import { parseQuery } from '../read/list/query.ts';

// What a list costs as usage grows. The same fifty rows match in a small and in a large table; the first page of them
// must be answered within twice the time, by an index. What other filters cost is printed beside it.
// It measures the read engine and PostgreSQL on one quiet connection, not the HTTP door. `make bench` asks for more sizes
// and has what was measured written to a file: `--sizes` and `--json`.

const { values } = parseArgs({
  options: {
    small: { type: 'string', default: '1000' },
    large: { type: 'string', default: '1000000' },
    sizes: { type: 'string' },
    seconds: { type: 'string', default: '3' },
    // Of the queries that are printed and not judged.
    'other-seconds': { type: 'string' },
    json: { type: 'string' },
  },
});
const sizes = (values.sizes?.split(',') ?? [values.small, values.large]).map(Number);
/** What the server gives a list too. */
const statementTimeoutMs = 2000;
const matching = 50;
/** What takes less counts as this: the difference is the clock's and the machine's, whose pauses a p99 catches or not. */
const floorMs = 2;

interface Measured {
  p50: number;
  p99: number;
  total: string;
}

/** The query that the verdict is about. */
const judged = 'fifty rows';
const queries: { label: string; search: (rows: number) => string }[] = [
  { label: 'no filter', search: () => 'limit=50' },
  { label: judged, search: () => 'note.needle=yes&limit=50' },
  { label: 'fifty rows, nested in an array', search: () => 'usageCharacteristic.value=needle&limit=50' },
  { label: '1 %', search: () => 'grade=rare&limit=50' },
  { label: '20 %, by state', search: () => 'status=rejected&limit=50' },
  { label: '20 %, by document', search: () => 'usageType=sms&limit=50' },
  { label: 'none', search: () => 'note.needle=absent&limit=50' },
  {
    label: 'a range of dates, newest first',
    search: () => 'usageDate.gt=2026-01-02T00:00:00Z&sort=-usageDate&limit=50',
  },
  { label: 'a page nine tenths deep', search: (rows) => `limit=50&offset=${Math.floor(rows * 0.9)}` },
  { label: 'regex on the fifty', search: () => 'note.needle=yes&description.regex=number&limit=50' },
  { label: 'regex alone', search: () => 'description.regex=number%20.*77$&limit=50' },
];

async function fill(ownerUrl: string, rows: number): Promise<void> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SELECT begin_command('bench.fill', '{}'::jsonb)`);
    const { rows: indexes } = await client.query<{ made: string }>(
      `SELECT pg_get_indexdef('"usage_document"'::regclass) AS made`,
    );
    await client.query('DROP INDEX "usage_document"');
    await client.query(
      `INSERT INTO "usage" ("id", "state", "document", "version", "msisdn", "kind", "usage_date", "created_at", "updated_at")
       SELECT id, state, jsonb_build_object('id', id, '@type', 'Usage', 'description', 'Session number ' || i, 'usageType', (ARRAY['data','voice','sms','data','voice'])[1 + i % 5],
           'usageDate', wire_time(at), 'status', state, 'grade', CASE WHEN i % 100 = 0 THEN 'rare' ELSE 'common' END,
           'note', jsonb_build_array(jsonb_build_object('needle', CASE WHEN i % ($1 / $2) = 0 THEN 'yes' ELSE 'no' END)),
           'usageCharacteristic', jsonb_build_array(jsonb_build_object('name', 'msisdn', 'value', '65' || (80000000 + i % 3000)),
             jsonb_build_object('name', 'volume', 'value', i % 1000), jsonb_build_object('name', 'tag', 'value', CASE WHEN i % ($1 / $2) = 1 THEN 'needle' ELSE 'hay' END))),
         1, '65' || (80000000 + i % 3000), 'data', at, at, at
       FROM (SELECT i, 'usg_' || lpad(i::text, 26, '0') AS id, CASE WHEN i % 5 = 0 THEN 'rejected' ELSE 'rated' END AS state,
         timestamptz '2026-01-01Z' + i * interval '2 seconds' AS at FROM generate_series(1, $1::int) i) made`,
      [rows, matching],
    );
    await client.query(indexes[0]?.made ?? '');
    await client.query('COMMIT');
    await client.query('VACUUM ANALYZE "usage"');
  } finally {
    await client.end();
  }
}

async function measure(pool: pg.Pool, search: string, seconds: number): Promise<Measured> {
  const binding = bindingOf('TMF635', 'usage');
  const query = parseQuery(search);
  const times: number[] = [];
  let total = '';
  const began = performance.now();
  while (times.length < 1000 && (times.length < 10 || performance.now() - began < seconds * 1000)) {
    const start = performance.now();
    try {
      const page = await listResources(pool, binding, query, { statementTimeoutMs });
      total = String(page.totalCount);
    } catch (error) {
      if (!(error instanceof AirtimeError)) throw error;
      total = `refused, ${error.status}`;
    }
    times.push(performance.now() - start);
    if (total.startsWith('refused')) break;
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), total };
}

/** The plan PostgreSQL makes for the fifty rows, read while the list runs. */
async function planOf(pool: pg.Pool, search: string): Promise<string> {
  const client = await pool.connect();
  const lines: string[] = [];
  try {
    const query = client.query.bind(client) as (
      text: string,
      values: unknown[],
    ) => Promise<pg.QueryResult<Record<string, string>>>;
    const watched = Object.create(client) as pg.PoolClient;
    Object.assign(watched, {
      query: async (given: { text: string; values: unknown[] } | string, values: unknown[] = []) => {
        const text = typeof given === 'string' ? given : given.text;
        const bound = typeof given === 'string' ? values : given.values;
        const { rows } = await query(`EXPLAIN ${text}`, bound);
        lines.push(...rows.map((row) => String(row['QUERY PLAN'])));
        return query(text, bound);
      },
    });
    await listResources(watched, bindingOf('TMF635', 'usage'), parseQuery(search));
  } finally {
    client.release();
  }
  return lines.join('\n');
}

const migrations = new URL('../prisma/migrations', import.meta.url).pathname;
const directory = await openTestDirectory({ onDisk: true });
try {
  process.exitCode = await run();
} finally {
  await directory.remove();
}

interface OneDatabase {
  ownerUrl: string;
  serverUrl: string;
  drop(): Promise<void>;
}

/** Databases of another PostgreSQL, one for each size, empty, and gone with it; without them those of our own. */
function databases(): (place: number) => Promise<OneDatabase> {
  const given = process.env.AIRTIME_BENCH_DATABASES;
  if (!given) {
    const server = testServer(directory.directory, migrations);
    return () => server.testDatabase();
  }
  const urls = z.array(z.object({ databaseUrl: z.string(), migrationUrl: z.string() })).parse(JSON.parse(given));
  return async (place) => {
    const options = { directory: directory.directory, migrations, log: () => undefined };
    return { ...(await startDatabase({ ...options, ...urls[place] })), drop: async () => undefined };
  };
}

async function run(): Promise<number> {
  const databaseOf = databases();
  const columns: { rows: number; measured: Measured[]; plan: string }[] = [];
  for (const [place, rows] of sizes.entries()) {
    const database = await databaseOf(place);
    await fill(database.ownerUrl, rows);
    const connected = await connect({
      url: database.serverUrl,
      max: 2,
      statementTimeoutMs: 60_000,
      log: () => undefined,
    });
    const measured: Measured[] = [];
    for (const { label, search } of queries) {
      const seconds = label === judged ? values.seconds : (values['other-seconds'] ?? values.seconds);
      measured.push(await measure(connected.pool, search(rows), Number(seconds)));
    }
    columns.push({ rows, measured, plan: await planOf(connected.pool, 'note.needle=yes&limit=50') });
    await connected.close();
    await database.drop();
  }
  const cell = (one: Measured | undefined) =>
    one ? `${one.p50.toFixed(1)} / ${one.p99.toFixed(1)} ms (${one.total})` : '';
  process.stdout.write(
    `${'p50 / p99 (matching rows)'.padEnd(32)}${columns.map(({ rows }) => String(rows).padStart(34)).join('')}\n`,
  );
  for (const [index, { label }] of queries.entries()) {
    process.stdout.write(
      `${label.padEnd(32)}${columns.map(({ measured }) => cell(measured[index]).padStart(34)).join('')}\n`,
    );
  }
  if (values.json) {
    const lists = queries.map(({ label }, index) => ({ label, cells: columns.map(({ measured }) => measured[index]) }));
    writeFileSync(values.json, JSON.stringify({ statementTimeoutMs, sizes, lists }));
  }
  return verdict(columns);
}

function verdict(columns: { measured: Measured[]; plan: string }[]): number {
  const [small, large] = [columns[0], columns.at(-1)];
  const fifty = queries.findIndex(({ label }) => label === judged);
  const before = small?.measured[fifty];
  const after = large?.measured[fifty];
  if (!before || !after || before.total !== String(matching) || after.total !== String(matching)) {
    process.stdout.write('the same fifty rows were not found in both tables\n');
    return 1;
  }
  const ratio = Math.max(after.p99, floorMs) / Math.max(before.p99, floorMs);
  const byIndex = large?.plan.includes('usage_document') === true;
  process.stdout.write(
    `\nfifty rows, first page: p99 ${(after.p99 / before.p99).toFixed(2)} times that of the small table; where less than ${floorMs} ms counts as ${floorMs}, ${ratio.toFixed(2)} times (at most 2)\n`,
  );
  process.stdout.write(
    `plan in the large table: ${byIndex ? 'by usage_document' : `NOT by an index:\n${large?.plan}`}\n`,
  );
  return ratio <= 2 && byIndex ? 0 : 1;
}
