import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { z } from 'zod';
import { startEmbedded } from '../app/database/embedded-postgres.ts';
import { type DatabaseKind, type House, openHouse } from './house.ts';
import { copyLines, makeLine } from './lines.ts';
import { type Ask, openClient, saturated, seeded, timingOf } from './load.ts';
import { busyCores, busyMin } from './processes.ts';

// What one PostgreSQL holds: lines by the hundred thousand, each with its customer, card, number, eSIM profile, buckets
// and renewal, and usage beside them. At each size it is asked what rows and their indexes weigh, what charging, lists
// and vacuum come to. The tables that it prints are kept in docs/growth-measured.md.

const usage = `Loads lines into one PostgreSQL and measures it at each size. It takes a while, and some 30 GB of disk.

  npx tsx bench/growth.ts [--lines N,N,N] [--usages N] [--seconds N] [--external] [--write]

  --lines N,N,N  the sizes, smallest first; at most 1,000,000 (default 10000,100000,1000000)
  --usages N     records of usage a line (default 3)
  --seconds N    how long each rate is measured (default 8)
  --external     on the PostgreSQL of this machine instead of the one that comes with the program
  --write        keep what was measured in docs/growth-measured.md
`;

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '10000,100000,1000000' },
    usages: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '8' },
    external: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const sizes = values.lines.split(',').map(Number);
const usagesPerLine = Number(values.usages);
const seconds = Number(values.seconds);
const kind: DatabaseKind = values.external ? 'external' : 'embedded';
const linesMax = 1_000_000;
const chunk = 100_000;
const callers = 32;
const random = seeded(1);

interface Table {
  title: string;
  head: string[];
  rows: string[][];
}

/** What was measured at one size, by what it says. */
interface AtSize {
  lines: number;
  loadedSeconds: number;
  measured: Map<string, string>;
}

const sizeRow = z.object({
  name: z.string(),
  rows: z.coerce.number(),
  heap: z.coerce.number(),
  indexes: z.coerce.number(),
});
const indexRow = z.object({
  table: z.string(),
  name: z.string(),
  bytes: z.coerce.number(),
});

async function main(): Promise<number> {
  if (sizes.some((size, place) => !(size > (sizes[place - 1] ?? 1) && size <= linesMax)))
    throw new Error(`--lines: give sizes that rise, up to ${linesMax}`);
  const house = await openHouse(kind);
  if (!house) throw new Error('no PostgreSQL of this machine was found');
  try {
    const ownerUrl =
      house.environment.MIGRATION_DATABASE_URL ??
      (await startEmbedded({ directory: join(house.home, 'postgres'), log: () => undefined })).ownerUrl;
    const owner = new pg.Client({ connectionString: ownerUrl });
    owner.on('error', () => undefined);
    await owner.connect();
    const pool = await house.pool();
    const line = await makeLine(house.server(), pool, 'PLAN_L');
    const columns: AtSize[] = [];
    let loaded = 1;
    for (const size of sizes) {
      const began = performance.now();
      const documentIndexes = await dropDocumentIndexes(owner);
      while (loaded < size) {
        const count = Math.min(chunk, size - loaded);
        await copyLines(pool, line, count, loaded);
        await addUsage(owner, loaded, count);
        loaded += count;
        tell(`${loaded.toLocaleString('en')} lines after ${Math.round((performance.now() - began) / 1000)} s`);
      }
      const loadedSeconds = (performance.now() - began) / 1000;
      const built = await timed(async () => {
        for (const made of documentIndexes) await owner.query(made);
      });
      tell(`indexes of documents after ${Math.round(built / 1000)} s more`);
      columns.push({ lines: size, loadedSeconds, measured: await measure(house, owner, size, built) });
    }
    const tables = [
      ratesTable(columns),
      await sizesTable(owner, loaded),
      await indexesTable(owner, loaded),
      await indexCostTable(owner),
    ];
    const text = `${await headOf(owner)}\n${tables.map(drawn).join('\n')}`;
    process.stdout.write(`\n${text}`);
    if (values.write) writeFileSync(fileURLToPath(new URL('../docs/growth-measured.md', import.meta.url)), text);
    await owner.end();
    return 0;
  } finally {
    await house.close();
  }
}

const tell = (text: string) => process.stderr.write(`${text}\n`);

/** An index over documents is built in a fraction of the time that it takes to grow with each row. */
async function dropDocumentIndexes(owner: pg.Client): Promise<string[]> {
  const { rows } = await owner.query<{ name: string; made: string }>(
    `SELECT indexname AS name, indexdef AS made FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE '% USING gin %'
      AND tablename IN ('customer', 'payment_method', 'subscription', 'service', 'usage')`,
  );
  for (const { name } of rows) await owner.query(`DROP INDEX "${name}"`);
  return rows.map(({ made }) => made);
}

/** Records of the last month, as the network reports them, with their keys; their quota is not spent by them. */
async function addUsage(owner: pg.Client, first: number, count: number): Promise<void> {
  if (usagesPerLine === 0) return;
  await owner.query('BEGIN');
  await owner.query(`SELECT begin_command('bench.usage', '{"audience": "system", "id": "system", "name": "bench"}')`);
  await owner.query(
    `INSERT INTO "usage" ("id", "state", "document", "version", "source", "record_id", "msisdn", "kind", "subscription_id", "customer_id",
         "quantity", "charged", "excess", "usage_date", "created_at", "updated_at")
       SELECT made.id, 'rated', ('{"@type":"Usage","id":"' || made.id || '","status":"rated","usageType":"data","usageDate":"' || wire_time(made.at)
           || '","usageCharacteristic":[{"name":"msisdn","value":"' || s."msisdn" || '"},{"name":"volume","value":1},{"name":"unit","value":"KB"},{"name":"source","value":"growth"},{"name":"recordId","value":"'
           || made.id || '"}],"ratedProductUsage":[{"ratingDate":"' || wire_time(made.at) || '","usageRatingTag":"included","isBilled":true,"ratingAmountType":"Total","productRef":{"id":"' || s."id"
           || '","@referredType":"Product"},"chargedQuantity":{"amount":1,"units":"KB"},"excessQuantity":{"amount":0,"units":"KB"}}]}')::jsonb,
         1, 'growth', made.id, s."msisdn", 'data', s."id", s."customer_id", 1024, 1024, 0, made.at, made.at, made.at
       FROM (SELECT s.*, row_number() OVER () AS n FROM "subscription" s WHERE s."msisdn" >= '659' || lpad($1::text, 7, '0') AND s."msisdn" < '659' || lpad(($1::int + $2::int)::text, 7, '0')) s,
         generate_series(1, $3::int) r,
         LATERAL (SELECT 'usg_' || lpad(($1::int + s.n)::text, 14, '0') || lpad(r::text, 12, '0') AS id,
           business_now() - ((s.n * 7919 + r * 104729) % 2505600) * interval '1 second' AS at) made`,
    [first, count, usagesPerLine],
  );
  await owner.query(
    `INSERT INTO "usage_key" ("source", "record_id", "usage_id", "expires_at")
       SELECT 'growth', u."id", u."id", u."usage_date" + interval '90 days' FROM "usage" u WHERE u."msisdn" >= '659' || lpad($1::text, 7, '0')
         AND u."msisdn" < '659' || lpad(($1::int + $2::int)::text, 7, '0') AND u."source" = 'growth'`,
    [first, count],
  );
  await owner.query('COMMIT');
}

const vacuumed = ['bucket', 'subscription', 'usage', 'usage_key', 'event', 'flow_step', 'customer'];

async function measure(house: House, owner: pg.Client, size: number, builtMs: number): Promise<Map<string, string>> {
  const measured = new Map<string, string>([['lines', String(size)]]);
  measured.set('building the indexes of documents', `${(builtMs / 1000).toFixed(1)} s`);
  // The first vacuum after a load writes every page once; what follows is what a running system pays.
  const first = await timed(async () => {
    for (const table of await tablesOf(owner)) await owner.query(`VACUUM ANALYZE "${table}"`);
  });
  measured.set('vacuum and analyse, first after the load', `${(first / 1000).toFixed(1)} s`);

  const { rows } = await owner.query(
    `SELECT "id", "customer_id", "msisdn" FROM "subscription" WHERE "state" = 'active' AND hashtext("id") % $1 = 0 LIMIT 5000`,
    [Math.max(1, Math.floor(size / 5000))],
  );
  const lines = z.array(z.object({ id: z.string(), customer_id: z.string(), msisdn: z.string() })).parse(rows);
  const one = () => {
    const found = lines[Math.floor(random() * lines.length)];
    if (!found) throw new Error('there are no lines');
    return found;
  };
  await charge(house, () => one().msisdn, measured);
  await lists(house, one, measured);
  for (const table of vacuumed) {
    const taken = await timed(() => owner.query(`VACUUM ANALYZE "${table}"`));
    measured.set(`vacuum of ${table}`, `${(taken / 1000).toFixed(2)} s`);
  }
  return measured;
}

async function charge(house: House, number: () => string, measured: Map<string, string>): Promise<void> {
  const server = house.server();
  const client = openClient(server);
  const single = async () => {
    const characteristic = { msisdn: number(), volume: 1, unit: 'KB', source: 'bench', recordId: randomUUID() };
    const { status, text } = await client.send({
      method: 'POST',
      path: '/tmf-api/usageManagement/v4/usage',
      body: JSON.stringify({
        usageDate: new Date().toISOString(),
        usageType: 'data',
        usageCharacteristic: Object.entries(characteristic).map(([name, value]) => ({ name, value })),
      }),
    });
    if (status !== 201 || !text.includes('"rated"')) throw new Error(`a record was answered ${status}: ${text}`);
  };
  await saturated(callers, 2, single);
  const timing = await saturated(callers, seconds, single);
  measured.set(
    'single records',
    `${Math.round(timing.perSecond).toLocaleString('en')}/s, p99 ${timing.p99.toFixed(0)} ms`,
  );
  client.close();
  const run = randomUUID();
  let sent = 0;
  let rated = 0;
  const begun = performance.now();
  while (performance.now() - begun < seconds * 1000) {
    const body = Array.from({ length: 5000 }, () => {
      sent += 1;
      return `${JSON.stringify({ msisdn: number(), kind: 'data', amount: 1, unit: 'KB', usageDate: new Date().toISOString(), source: run, recordId: String(sent) })}\n`;
    }).join('');
    const response = await fetch(`${server.url}/usage/stream`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/x-ndjson' },
      body,
    });
    rated += (await response.text()).split('"status":"rated"').length - 1;
  }
  const rate = sent / ((performance.now() - begun) / 1000);
  if (rated !== sent) throw new Error(`${rated} of ${sent} streamed records were rated`);
  measured.set('streamed records', `${Math.round(rate).toLocaleString('en')}/s`);
}

async function lists(
  house: House,
  one: () => { id: string; customer_id: string; msisdn: string },
  measured: Map<string, string>,
): Promise<void> {
  const server = house.server();
  const client = openClient(server);
  const tool = (name: string, input: object): Ask => ({
    method: 'POST',
    path: `/tools/${name}`,
    body: JSON.stringify(input),
  });
  const get = (path: string): Ask => ({ method: 'GET', path: `/tmf-api/${path}` });
  const asked: [string, () => Ask][] = [
    ['one customer', () => get(`customerManagement/v4/customer/${one().customer_id}`)],
    ['first page of customers', () => get('customerManagement/v4/customer?limit=50')],
    [
      'a page of customers nine tenths deep',
      () => get(`customerManagement/v4/customer?limit=50&offset=${Math.floor(sizeOf(measured) * 0.9)}`),
    ],
    ['the line of a number', () => get(`productInventory/v4/product?productSerialNumber=${one().msisdn}`)],
    ['lines of a customer', () => get(`productInventory/v4/product?relatedParty.id=${one().customer_id}`)],
    ['a line with its balances', () => tool('subscription.show', { subscriptionId: one().id })],
    ['usage of a line', () => tool('usage.list', { subscriptionId: one().id })],
    ['customers by a part of the name', () => tool('customer.list', { search: one().msisdn })],
    ['the dashboard', () => tool('dashboard.show', {})],
  ];
  for (const [what, ask] of asked) {
    const times: number[] = [];
    let refused = '';
    const begun = performance.now();
    while (times.length < 100 && (times.length < 5 || performance.now() - begun < 3000) && refused === '') {
      const sent = performance.now();
      const { status } = await client.send(ask());
      times.push(performance.now() - sent);
      if (status >= 300) refused = `answered ${status} after ${(performance.now() - sent).toFixed(0)} ms`;
    }
    const timing = timingOf(times, 1);
    measured.set(what, refused || `${timing.p50.toFixed(1)} / ${timing.p99.toFixed(1)} ms`);
  }
  client.close();
}

const sizeOf = (measured: Map<string, string>): number => Number(measured.get('lines'));

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function tablesOf(owner: pg.Client): Promise<string[]> {
  const { rows } = await owner.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relowner = current_user::regrole ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

function ratesTable(columns: readonly AtSize[]): Table {
  const names = [...new Set(columns.flatMap(({ measured }) => [...measured.keys()]))].filter(
    (name) => name !== 'lines',
  );
  return {
    title: 'At each size (reads: p50 / p99 of one caller)',
    head: ['', ...columns.map(({ lines }) => `${lines.toLocaleString('en')} lines`)],
    rows: [
      [
        'loading a line without indexes of documents',
        ...columns.map(
          ({ lines, loadedSeconds }, place) =>
            `${((loadedSeconds * 1e6) / (lines - (columns[place - 1]?.lines ?? 0))).toFixed(0)} us`,
        ),
      ],
      ...names.map((name) => [name, ...columns.map(({ measured }) => measured.get(name) ?? '')]),
    ],
  };
}

async function sizesTable(owner: pg.Client, lines: number): Promise<Table> {
  const { rows } = await owner.query(
    `SELECT c.relname AS name, greatest(c.reltuples, 0) AS rows, pg_table_size(c.oid) AS heap, pg_indexes_size(c.oid) AS indexes FROM pg_class c
      WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY pg_total_relation_size(c.oid) DESC LIMIT 16`,
  );
  const tables = z.array(sizeRow).parse(rows);
  const heap = tables.reduce((sum, one) => sum + one.heap, 0);
  const indexes = tables.reduce((sum, one) => sum + one.indexes, 0);
  const row = (name: string, count: number, a: number, b: number) => [
    name,
    count === 0 ? '' : Math.round(count).toLocaleString('en'),
    megabytes(a),
    megabytes(b),
    count === 0 ? '' : ((a + b) / count).toFixed(0),
    ((a + b) / lines).toFixed(0),
  ];
  return {
    title: 'What the tables weigh, after all of this',
    head: ['table', 'rows', 'rows MB', 'indexes MB', 'bytes a row', 'bytes a line'],
    rows: [
      ...tables.map((one) => row(one.name, one.rows, one.heap, one.indexes)),
      row('these together', 0, heap, indexes),
    ],
  };
}

async function indexesTable(owner: pg.Client, lines: number): Promise<Table> {
  const { rows } = await owner.query(
    `SELECT t.relname AS "table", i.relname AS name, pg_relation_size(i.oid) AS bytes FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
       JOIN pg_class t ON t.oid = x.indrelid WHERE t.relnamespace = 'public'::regnamespace ORDER BY 3 DESC LIMIT 16`,
  );
  return {
    title: 'The largest indexes',
    head: ['index', 'table', 'MB', 'bytes a line'],
    rows: z
      .array(indexRow)
      .parse(rows)
      .map(({ table, name, bytes }) => [name, table, megabytes(bytes), (bytes / lines).toFixed(0)]),
  };
}

const probed = 50_000;

/** The same rows written with each index there and with one of them gone, in transactions that are undone. */
async function indexCostTable(owner: pg.Client): Promise<Table> {
  const { rows: indexes } = await owner.query<{ name: string }>(
    `SELECT i.relname AS name FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = '"usage"'::regclass AND NOT x.indisprimary ORDER BY 1`,
  );
  // Microseconds that a row takes.
  const insert = async (without?: string) => {
    await owner.query('BEGIN');
    try {
      await owner.query(
        `SELECT begin_command('bench.usage', '{"audience": "system", "id": "system", "name": "bench"}')`,
      );
      if (without) await owner.query(`DROP INDEX "${without}"`);
      let written = 0;
      const taken = await timed(async () => {
        const { rowCount } = await owner.query(
          `INSERT INTO "usage" ("id", "state", "document", "version", "source", "record_id", "msisdn", "kind", "subscription_id", "customer_id", "quantity", "charged", "excess", "usage_date", "created_at", "updated_at")
           SELECT 'usg_probe' || lpad((row_number() OVER ())::text, 21, '0'), "state", "document", 1, "source", "record_id", "msisdn", "kind", "subscription_id", "customer_id", "quantity", "charged", "excess", business_now(), business_now(), business_now()
             FROM "usage" WHERE "source" = 'growth' LIMIT $1`,
          [probed],
        );
        written = rowCount ?? 0;
      });
      return (taken * 1000) / written;
    } finally {
      await owner.query('ROLLBACK');
    }
  };
  await insert();
  // Those with all of them stand around the others, for the machine is not the same all the time.
  const before = await insert();
  const each: [string, number][] = [];
  for (const { name } of indexes) each.push([name, await insert(name)]);
  const all = (before + (await insert())) / 2;
  const rows = [
    ['all of them', `${all.toFixed(1)} us`, ''],
    ...each.map(([name, taken]) => [
      `without ${name}`,
      `${taken.toFixed(1)} us`,
      `${(((all - taken) / all) * 100).toFixed(0)} %`,
    ]),
  ];
  await owner.query('VACUUM "usage"');
  return {
    title: `What an index of usage costs a row that is written (${probed.toLocaleString('en')} rows in one statement)`,
    head: ['indexes', 'a row', 'its part'],
    rows,
  };
}

const busyBefore = await busyCores();

const busy = (): string =>
  busyBefore > busyMin
    ? `

**The machine did other things beside** (${busyBefore.toFixed(1)} cores were busy when it began): sizes are true, rates and times are not what a
quiet machine shows. Run it again there.`
    : '';

async function headOf(owner: pg.Client): Promise<string> {
  const { rows } = await owner.query<{ version: string; buffers: string }>(
    `SELECT current_setting('server_version') AS version, current_setting('shared_buffers') AS buffers`,
  );
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return `# What one PostgreSQL holds

Written by \`make growth\`; ${cpus().length} cores and ${gigabytes} GB that client, server and database share, Node ${process.versions.node}, PostgreSQL
${rows[0]?.version} (${kind}, shared_buffers ${rows[0]?.buffers}), ${usagesPerLine} records of usage a line. \`growth.md\` says what follows from it.${busy()}
`;
}

const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

function drawn({ title, head, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return `## ${title}\n\n${line(head)}${line(head.map((_, place) => (place === 0 ? '---' : '---:')))}${rows.map(line).join('')}`;
}

if (values.help) process.stdout.write(usage);
else process.exitCode = await main();
