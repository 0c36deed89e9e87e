import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../app/database/connect.ts';
import { type TestDatabase, testDatabase } from '../../app/database/testing.ts';
import { listResources, type ResourceBinding, retrieveResource } from './list.ts';
import { parseQuery } from './query.ts';
import { InvalidQuery, UnsupportedQuery } from './query-error.ts';

let test: TestDatabase;
let pool: pg.Pool;

const site = 'https://bss.example';
const href = (id: string) => `${site}/ticket/${encodeURIComponent(id)}`;
const binding: ResourceBinding = {
  table: 'ticket',
  columns: {
    status: { column: 'state', type: 'text' },
    openedAt: { column: 'opened_at', type: 'timestamp' },
    priority: { column: 'priority', type: 'number' },
    'flags.urgent': { column: 'urgent', type: 'boolean' },
  },
  href,
  storedLink: (text) => (text.startsWith(`${site}/`) ? `airtime:${text.slice(site.length)}` : undefined),
};

const documents = [
  {
    id: 't1',
    '@type': 'Ticket',
    name: 'No signal, at home',
    status: 'open',
    openedAt: '2026-01-01T00:00:00.000Z',
    priority: 1,
    flags: { urgent: true },
    score: 9.5,
    note: [
      { author: 'Ann', text: 'first', date: '2026-01-01T08:00:00+08:00' },
      { author: 'Bob', text: 'second', date: '2026-01-03T00:00:00Z' },
    ],
    customer: { id: 'c1', href: 'airtime:/customer/c1' },
  },
  {
    id: 't2',
    '@type': 'Ticket',
    name: 'no coverage',
    status: 'closed',
    openedAt: '2026-01-02T00:00:00.000Z',
    priority: 10,
    flags: { urgent: false },
    score: 10,
    note: [{ author: 'Bob', text: 'first', date: '2026-01-01T00:00:00.001Z' }],
    customer: { id: 'c2', href: 'airtime:/customer/c2' },
  },
  { id: 't3', '@type': 'Case', name: "O'Brien", status: 'open', score: '11', priority: 2, version: '1.10' },
  {
    id: 't4',
    '@type': 'Case',
    name: '+65 8123',
    status: 'held',
    score: true,
    tag: ['a', 'b'],
    version: '1.9',
    gone: null,
  },
] as const;

beforeAll(async () => {
  test = await testDatabase();
  pool = new pg.Pool({ connectionString: test.ownerUrl, max: 3 });
  // Dropping the database may meet a connection that is just closing.
  pool.on('connect', (connection) => connection.on('error', () => undefined));
  await pool.query(`CREATE TABLE ticket (
    id text COLLATE "C" PRIMARY KEY, document jsonb NOT NULL, version bigint NOT NULL DEFAULT 1,
    created_at timestamptz, updated_at timestamptz,
    state text COLLATE "C", opened_at timestamptz, priority integer, urgent boolean)`);
  await pool.query('CREATE INDEX ticket_document ON ticket USING gin (document jsonb_path_ops)');
  for (const document of documents) await insert('ticket', document);
});
afterAll(async () => {
  await pool.end();
  await test.drop();
});

async function insert(table: string, document: object): Promise<void> {
  await pool.query(
    `INSERT INTO ${table} (id, document, state, opened_at, priority, urgent)
     SELECT d->>'id', d, d->>'status', (d->>'openedAt')::timestamptz, (d->>'priority')::integer, (d->'flags'->>'urgent')::boolean
     FROM (SELECT $1::jsonb AS d) AS given`,
    [JSON.stringify(document)],
  );
}

const list = (raw: string, changes: Partial<ResourceBinding> = {}) =>
  listResources(pool, { ...binding, ...changes }, parseQuery(raw));
const ids = async (raw: string) => (await list(raw)).items.map(({ id }) => id).join(' ');
const filter = (jsonPath: string) => `filter=${encodeURIComponent(jsonPath)}`;

describe('a list', () => {
  it('is whole, in order of ids, with absolute links', async () => {
    const result = await list('');
    expect(result).toMatchObject({ totalCount: 4, offset: 0, limit: 100, partial: false, links: {} });
    expect(result.items).toEqual(documents.map((document) => ({ ...document, href: href(document.id) })));
  });

  it('is empty where nothing matches', async () => {
    expect(await list('status=unknown')).toMatchObject({ items: [], totalCount: 0, partial: false, links: {} });
  });

  it('is cut into pages that link to each other', async () => {
    expect(await list('sort=name&limit=2&offset=1&status=open,held')).toMatchObject({
      totalCount: 3,
      partial: true,
      links: {
        first: 'sort=name&status=open,held&offset=0&limit=2',
        prev: 'sort=name&status=open,held&offset=0&limit=2',
        last: 'sort=name&status=open,held&offset=1&limit=2',
      },
    });
    expect((await list('limit=1&offset=1')).links).toEqual({
      first: 'offset=0&limit=1',
      prev: 'offset=0&limit=1',
      next: 'offset=2&limit=1',
      last: 'offset=3&limit=1',
    });
    expect(await list('offset=50&limit=3')).toMatchObject({
      items: [],
      totalCount: 4,
      partial: true,
      links: { first: 'offset=0&limit=3', prev: 'offset=2&limit=3', last: 'offset=2&limit=3' },
    });
    expect(await list('limit=0')).toMatchObject({ items: [], totalCount: 4, partial: true, links: {} });
    expect(await list('offset=99999999999999999999999')).toMatchObject({ items: [], totalCount: 4 });
  });

  it('knows only what its scope admits, whatever is asked', async () => {
    const scope = { text: 'state = $1 OR priority = $2', values: ['held', 10] };
    expect((await list('', { scope })).items.map(({ id }) => id)).toEqual(['t2', 't4']);
    expect((await list('id=t1;id=t2', { scope })).items.map(({ id }) => id)).toEqual(['t2']);
    expect((await list('id.ne=t2', { scope })).totalCount).toBe(1);
    expect(await retrieveResource(pool, { ...binding, scope }, 't1', parseQuery(''))).toBeUndefined();
    expect(await retrieveResource(pool, { ...binding, scope }, 't2', parseQuery(''))).toBeDefined();
  });

  it('holds the selected attributes', async () => {
    expect((await list('fields=note.author,name&id=t2')).items).toEqual([
      { id: 't2', href: href('t2'), name: 'no coverage', note: [{ author: 'Bob' }] },
    ]);
    expect((await list('fields=none&limit=1')).items).toEqual([{ id: 't1', href: href('t1') }]);
  });
});

describe('attribute filters', () => {
  it.each([
    ['status=open', 't1 t3'],
    ['status=open,closed', 't1 t2 t3'],
    ['status=open&status=held', 't1 t3 t4'],
    ['status=open&note.author=Ann', 't1'],
    ['status=closed;note.author=Ann', 't1 t2'],
    ['status.ne=open', 't2 t4'],
    ['note.author=Bob', 't1 t2'],
    ['note.author.ne=Ann', 't2 t3 t4'],
    ['note.author=Ann&note.text=second', 't1'],
    ['name=No signal, at home', 't1'],
    ['name=No%20signal%2C+at%20home', 't1'],
    ["name=O'Brien", 't3'],
    ['name=+65 8123', 't4'],
    ['name=%2B65%208123', 't4'],
    ['%40type=Case', 't3 t4'],
    ['tag=b', 't4'],
    ['score=10', 't2'],
    ['score=10.0', 't2'],
    ['score=true', 't4'],
    ['flags.urgent=true', 't1'],
    ['gone=null', 't4'],
    ['priority=10', 't2'],
    ['priority.gt=1.5', 't2 t3'],
    ['priority.lte=2', 't1 t3'],
    ['score>9.6', 't2 t3'],
    ['score%3C%3D9.5', 't1'],
    ['version.gt=1.5', 't4'],
    ['name.gt=a', 't2'],
    ['openedAt=2026-01-01T08:00:00%2B08:00', 't1'],
    ['openedAt.gte=2026-01-02', 't2'],
    ['openedAt.gt=2026-01-01T00:00:00Z', 't2'],
    ['openedAt.lt=2026-01-01T09:00:00+08:00', 't1'],
    ['note.date.gt=2026-01-01T00:00:00Z', 't1 t2'],
    ['note.date.lte=2026-01-01T00:00:00Z', 't1'],
    ['note.date.gt=2026-01-01T00:00:00Z&note.date.lt=2026-01-02', 't1 t2'],
    ['openedAt.regex=^2026-01-01', 't1'],
    ['name.regex=^no', 't2'],
    ['name.regex=(?i)^NO', 't1 t2'],
    ['name.regex=\\d{4}$', 't4'],
    ['status*=^(open|held)$', 't1 t3 t4'],
    [`href=${href('t2')}`, 't2'],
    [`href=${href('t2')},${href('t3')}`, 't2 t3'],
    ['href=https://elsewhere.example/ticket/t2', ''],
    [`href.ne=${href('t2')}`, 't1 t3 t4'],
    [`customer.href=${site}/customer/c2`, 't2'],
    ['unknown.attribute=x', ''],
    ['__proto__=x', ''],
    ['constructor=x', ''],
  ])('%s finds %s', async (raw, found) => {
    expect(await ids(raw)).toBe(found);
  });
});

describe('JSONPath', () => {
  it.each([
    ["$[?(@.status=='open')]", 't1 t3'],
    ["[?(@.status!='open')]", 't2 t4'],
    ["note[?(@.author=='Bob' && @.text=='first')]", 't2'],
    ["note[?(@.author=='Ann' && @.text=='second')]", ''],
    ["note[?(@.author=='Bob' && @.date > '2026-01-02')]", 't1'],
    ["$[?(!(@.note[?(@.author=='Ann')]))]", 't2 t3 t4'],
    ["$[?(@.note[?(@.author=='Bob')].text == 'second')]", 't1'],
    ['$[?(@.priority > 1 && @.priority <= 10)]', 't2 t3'],
    ['$[?(@.score >= 10)]', 't2'],
    ["$[?(@.score >= '10')]", 't3'],
    ['$[?(@.gone)]', 't4'],
    ['$[?(@.gone == null)]', 't4'],
    ['$[?(!@.note)]', 't3 t4'],
    ["$[?(@.tag[1] == 'b')]", 't4'],
    ["$[?(@.tag[*] in ['x', 'b'])]", 't4'],
    ['$[?(@.name =~ /^NO/i)]', 't1 t2'],
    ["$[?(@.openedAt < '2026-01-01T23:00:00+08:00')]", 't1'],
    ["$[?(@.flags.urgent == true || @.status == 'held')]", 't1 t4'],
    [`$[?(@.href == '${href('t3')}')]`, 't3'],
    [`$[?(@.customer.href == '${site}/customer/c1')]`, 't1'],
    ['$[?(@.status == 5)]', ''],
  ])('%s finds %s', async (jsonPath, found) => {
    expect(await ids(filter(jsonPath))).toBe(found);
  });

  it('finds the link that a client saw by the form that the program gives it', async () => {
    const result = await list(`href=${site}/ticket/t2`, { href: (id) => `airtime:/ticket/${id}` });
    expect(result.items).toMatchObject([{ id: 't2', href: 'airtime:/ticket/t2' }]);
  });

  it('orders no links', async () => {
    await expect(list('href.gt=a')).rejects.toThrow(UnsupportedQuery);
  });
});

describe('sorting', () => {
  it.each([
    ['sort=-id', 't4 t3 t2 t1'],
    ['sort=href', 't1 t2 t3 t4'],
    ['sort=status,-priority', 't2 t4 t3 t1'],
    ['sort=-openedAt', 't4 t3 t2 t1'],
    ['sort=openedAt,-id', 't1 t2 t4 t3'],
    ['sort=score', 't4 t1 t2 t3'],
    ['sort=-score', 't3 t2 t1 t4'],
    ['sort=note.date', 't1 t2 t3 t4'],
    ['sort=-note.date', 't4 t3 t2 t1'],
    ['sort=name', 't4 t1 t3 t2'],
    ['sort=@type,-name', 't3 t4 t2 t1'],
  ])('%s gives %s', async (raw, found) => {
    expect(await ids(raw)).toBe(found);
  });
});

describe('one resource', () => {
  it('comes with its version', async () => {
    expect(await retrieveResource(pool, binding, 't3', parseQuery('fields=name'))).toEqual({
      body: { id: 't3', href: href('t3'), name: "O'Brien" },
      version: 1,
    });
  });

  it.each(['unknown', '', 'a\0b', '\ud800', "'", 'x'.repeat(10_000)])('is not there under %j', async (id) => {
    expect(await retrieveResource(pool, binding, id, parseQuery(''))).toBeUndefined();
  });
});

describe('limits of time', () => {
  it('says that a query takes too long, and leaves the connection whole', async () => {
    // Every row sleeps: what a slow expression does, without one.
    const scope = { text: 'pg_sleep(1) IS NOT NULL', values: [] };
    const slow = listResources(pool, { ...binding, scope }, parseQuery('status=open'), { statementTimeoutMs: 50 });
    await expect(slow).rejects.toThrow(InvalidQuery);
    await expect(slow).rejects.toMatchObject({ status: 400, parameter: 'query' });
    const { rows } = await pool.query('SHOW statement_timeout');
    expect(rows).toEqual([{ statement_timeout: '0' }]);
  });

  it("joins the caller's transaction", async () => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(`INSERT INTO ticket (id, document) VALUES ('t0', '{"id":"t0"}')`);
      expect(await listResources(client, binding, parseQuery(''))).toMatchObject({ totalCount: 5 });
      await client.query('ROLLBACK');
    } finally {
      client.release();
    }
    expect(await list('')).toMatchObject({ totalCount: 4 });
  });
});

it('reads the tables of the migrations as the server does', async () => {
  const server = await connect({ url: test.serverUrl, max: 1, statementTimeoutMs: 1000, log: () => undefined });
  try {
    const customer: ResourceBinding = {
      table: 'customer',
      columns: { status: { column: 'state', type: 'text' } },
      href,
    };
    const query = parseQuery('status=active&name.regex=a&sort=-name');
    expect(await listResources(server.pool, customer, query)).toMatchObject({ items: [], totalCount: 0 });
    expect(await listResources(server.pool, customer, parseQuery(''))).toMatchObject({ items: [], totalCount: 0 });
    expect(await retrieveResource(server.pool, customer, 'cus_1', query)).toBeUndefined();
  } finally {
    await server.close();
  }
});

describe('many rows', () => {
  const many = 20_000;

  beforeAll(async () => {
    await pool.query('CREATE TABLE crowd (LIKE ticket INCLUDING ALL)');
    await pool.query(
      `INSERT INTO crowd (id, document, state, opened_at, priority)
       SELECT id, document, document->>'status', (document->>'openedAt')::timestamptz, (document->>'priority')::integer
       FROM (SELECT 'u' || lpad(i::text, 6, '0') AS id, jsonb_build_object(
         'id', 'u' || lpad(i::text, 6, '0'), 'name', 'number ' || i,
         'status', CASE WHEN i % 1000 = 0 THEN 'held' ELSE 'open' END,
         'half', i % 2, 'needle', CASE WHEN i % 400 = 0 THEN 'yes' ELSE 'no' END, 'priority', i % 7,
         'openedAt', to_char(timestamptz '2026-01-01Z' + i * interval '1 minute', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) AS document
         FROM generate_series(1, $1::integer) AS i) AS made`,
      [many],
    );
    await pool.query('CREATE INDEX crowd_state ON crowd (state, id)');
    await pool.query('CREATE INDEX crowd_opened ON crowd (opened_at, id)');
    // As the migrations do: what the planner would learn of a document is wrong more often than a fixed guess.
    await pool.query('ALTER TABLE crowd ALTER COLUMN document SET STATISTICS 0');
    await pool.query('VACUUM ANALYZE crowd');
  });

  /** The statements PostgreSQL runs for a list, and their plans. */
  async function plans(raw: string): Promise<string> {
    const client = await pool.connect();
    const lines: string[] = [];
    const query = client.query.bind(client);
    try {
      const spy = Object.create(client);
      spy.query = async ({ text, values }: { text: string; values: unknown[] }) => {
        const { rows } = await query(`EXPLAIN ${text}`, values);
        lines.push(...rows.map((row) => String(row['QUERY PLAN'])));
        return query(text, values);
      };
      await listResources(spy, { ...binding, table: 'crowd' }, parseQuery(raw));
    } finally {
      client.release();
    }
    return lines.join('\n');
  }

  it.each([
    ['needle=yes', 'crowd_document_idx'],
    ['unknown.deep=x', 'crowd_document_idx'],
    [`${filter("$[?(@.needle=='yes' && @.half > 0)]")}`, 'crowd_document_idx'],
    [`${filter("$[?(@.needle=='yes' && @.birth > '2020-01-01')]")}`, 'crowd_document_idx'],
    [`${filter("part[?(@.name=='x' && @.date > '2020-01-01')]")}`, 'crowd_document_idx'],
    ['name.regex=1$&needle=yes', 'crowd_document_idx'],
    ['status=held', 'crowd_state'],
    ['openedAt.gt=2026-01-14T20:00:00Z', 'crowd_opened'],
    ['id=u000007', 'crowd_pkey'],
    ['href=https%3A%2F%2Fbss.example%2Fticket%2Fu000007', 'crowd_pkey'],
    ['sort=-openedAt&limit=10', 'Index Only Scan Backward using crowd_opened'],
    ['half=1&limit=10', 'Index Scan using crowd_pkey'],
  ])('%s goes by %s', async (raw, index) => {
    expect(await plans(raw)).toContain(index);
  });

  it.each([
    'half=1',
    'status=open',
    '',
    'half=1&status=open',
    'sort=-openedAt&half=1',
    'sort=name&half=1',
    'sort=-priority',
    'name.regex=^number',
    'needle=yes',
    'half=1;status=held',
    'openedAt.gte=2026-01-05&half=0',
  ])('pages of %s are disjoint and complete', async (raw) => {
    const read = (offset: number, limit: number) =>
      list(`${raw}&fields=none&offset=${offset}&limit=${limit}`, { table: 'crowd' });
    const { totalCount } = await read(0, 0);
    const seen: string[] = [];
    for (let offset = 0; offset < totalCount; offset += 1000) {
      const page = await read(offset, 1000);
      expect(page.totalCount).toBe(totalCount);
      seen.push(...page.items.map(({ id }) => id));
    }
    expect(totalCount).toBeGreaterThan(0);
    expect(new Set(seen).size).toBe(totalCount);
    expect(seen).toHaveLength(totalCount);
    if (!raw.includes('sort')) expect(seen).toEqual([...seen].sort());
  });
});
