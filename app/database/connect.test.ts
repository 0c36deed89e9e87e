import { createConnection, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemCaller } from '../../kernel/caller.ts';
import { type Policy, transaction } from '../../policy/core/command.ts';
import { appendEvent } from '../../policy/core/event.ts';
import { insertUnawaited } from '../../policy/core/table.ts';
import { type TestPolicy, testPolicy } from '../../policy/core/testing.ts';
import type { Tx } from '../../policy/core/transaction.ts';
import { connect, type Database } from './connect.ts';
import { withClient } from './roles.ts';
import { type TestDatabase, testDatabase } from './testing.ts';

/** A way to the database that a test can cut, or on which nothing arrives any more. */
interface Wire {
  readonly url: string;
  /** Called with what is about to be sent to the database. */
  onSent: ((bytes: Buffer) => void) | undefined;
  cut(): void;
  hold(): void;
  letGo(): void;
  close(): Promise<void>;
}

async function openWire(to: string): Promise<Wire> {
  const { hostname, port } = new URL(to);
  const sockets = new Set<Socket>();
  let isHeld = false;
  const server = createServer((near) => {
    const far = createConnection({ host: hostname, port: Number(port) });
    for (const [from, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        if (!isHeld) other.destroy();
      });
      from.on('data', (bytes: Buffer) => {
        if (from === near) wire.onSent?.(bytes);
        if (!isHeld) other.write(bytes);
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = new URL(to);
  url.hostname = '127.0.0.1';
  url.port = typeof address === 'object' && address ? String(address.port) : '';
  const wire: Wire = {
    url: url.toString(),
    onSent: undefined,
    cut() {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
    hold() {
      isHeld = true;
    },
    letGo() {
      isHeld = false;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return wire;
}

let test: TestDatabase;
let database: Database;
const said: string[] = [];

beforeAll(async () => {
  test = await testDatabase();
  database = await connect({ url: test.serverUrl, max: 3, statementTimeoutMs: 400, log: (text) => said.push(text) });
});
afterAll(async () => {
  await database.close();
  await test.drop();
});

const one = async (sql: string, values: unknown[] = []) => {
  const answer = await database.pool.query<{ value: unknown }>(sql, values);
  return answer.rows[0]?.value;
};

describe('the pool', () => {
  it('works as the server role, in UTC', async () => {
    expect(await one('SELECT current_user::text AS value')).toBe('airtime_server');
    expect(await one("SELECT current_setting('TimeZone') AS value")).toBe('UTC');
  });

  it('compiles no statement, whatever the database prefers', async () => {
    await withClient(test.ownerUrl, (owner) => owner.query(`ALTER DATABASE "${test.database}" SET jit = on`));
    const preferred = await withClient(test.serverUrl, (client) => client.query('SHOW jit'));
    expect(preferred.rows).toEqual([{ jit: 'on' }]);
    const later = await connect({ url: test.serverUrl, max: 1, statementTimeoutMs: 400, log: () => undefined });
    expect((await later.pool.query('SHOW jit')).rows).toEqual([{ jit: 'off' }]);
    await later.close();
  });

  it('reads whole numbers exactly or not at all', async () => {
    expect(await one('SELECT 9007199254740991::bigint AS value')).toBe(Number.MAX_SAFE_INTEGER);
    await expect(one('SELECT 9007199254740992::bigint AS value')).rejects.toThrow(/too large to be read exactly/);
    expect(await one('SELECT count(*) AS value FROM generate_series(1, 5)')).toBe(5);
    expect(await one('SELECT array_agg(x::int) AS value FROM generate_series(1, 2) x')).toEqual([1, 2]);
  });

  it('reads days as days and times as moments, whatever zone this machine is in', async () => {
    expect(await one("SELECT date '2026-03-29' AS value")).toBe('2026-03-29');
    expect(await one("SELECT timestamp '2026-03-29 02:30:00' AS value")).toEqual(new Date('2026-03-29T02:30:00Z'));
    expect(await one("SELECT timestamptz '2026-03-29 02:30:00' AS value")).toEqual(new Date('2026-03-29T02:30:00Z'));
    const moment = new Date('2026-10-25T01:30:00.123Z');
    expect(await one('SELECT $1::timestamptz AS value', [moment])).toEqual(moment);
  });

  it('ends a statement that runs too long, and a transaction that lies idle', async () => {
    await expect(one('SELECT pg_sleep(5) AS value')).rejects.toThrow(/statement timeout/);
    const client = await database.pool.connect();
    const broken = new Promise((resolve) => client.once('error', resolve));
    await client.query('BEGIN');
    await broken;
    client.release(true);
    expect(await one('SELECT 1 AS value')).toBe(1);
  });

  it('keeps a connection for minutes without work, and not for ever', async () => {
    const resting = await connect({ url: test.serverUrl, max: 2, statementTimeoutMs: 400, log: () => undefined });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      await Promise.all([resting.pool.query('SELECT 1'), resting.pool.query('SELECT 1')]);
      await vi.advanceTimersByTimeAsync(4 * 60_000);
      expect(resting.pool.totalCount).toBe(2);
      await vi.advanceTimersByTimeAsync(2 * 60_000);
      expect(resting.pool.totalCount).toBe(0);
    } finally {
      vi.useRealTimers();
      await resting.close();
    }
  });

  it('survives the loss of its idle connections', async () => {
    await one('SELECT 1 AS value');
    await withClient(test.serverUrl, (client) =>
      client.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()',
      ),
    );
    await expect.poll(() => said.join()).toContain('broke');
    expect(await one('SELECT 1 AS value')).toBe(1);
  });
});

describe('a database that goes away', () => {
  let wire: Wire;
  let over: Database;
  let policy: Policy;
  let house: TestPolicy;

  beforeAll(async () => {
    house = await testPolicy();
  });
  afterAll(() => house.close());
  beforeEach(async () => {
    wire = await openWire(test.serverUrl);
    over = await connect({ url: wire.url, max: 2, statementTimeoutMs: 300, log: () => undefined });
    policy = { ...house.policy, pool: over.pool };
  });
  afterEach(async () => {
    wire.cut();
    await over.close();
    await wire.close();
  });

  const work = (inside: () => unknown) =>
    transaction(policy, 'test.away', systemCaller('test'), {}, async (tx) => {
      await tx.sql`SELECT 1 AS one`;
      await inside();
    });

  it('does not end the process when it goes while a transaction thinks, and the next one has a new connection', async () => {
    const lost = work(async () => {
      wire.cut();
      // Nothing is asked meanwhile: the driver tells the connection, not a statement.
      await new Promise((resolve) => setTimeout(resolve, 50));
    });
    await expect(lost).rejects.toMatchObject({ status: 503, reason: 'outcomeUnknown' });
    await work(() => undefined);
  });

  it('says that the outcome is not known when the connection ends at COMMIT, and nothing else', async () => {
    wire.onSent = (bytes) => {
      if (bytes.includes('COMMIT')) wire.cut();
    };
    await expect(work(() => undefined)).rejects.toMatchObject({ status: 503, reason: 'outcomeUnknown' });
    wire.onSent = (bytes) => {
      if (bytes.includes('SELECT 1 AS one')) wire.cut();
    };
    await expect(work(() => undefined)).rejects.toMatchObject({ status: 503, reason: 'unavailable' });
  });

  it('says so too when it ends while the last event and the COMMIT are on their way together', async () => {
    wire.onSent = (bytes) => {
      if (bytes.includes('append_events')) wire.cut();
    };
    const lost = transaction(policy, 'test.away', systemCaller('test'), {}, (tx) =>
      appendEvent(tx, { type: 'TestEvent', resourceType: 'test', resourceId: 'x', sequence: 1n }),
    );
    await expect(lost).rejects.toMatchObject({ status: 503, reason: 'outcomeUnknown' });
  });

  it('knows that nothing was kept where the last event was refused, although the commit was sent with it', async () => {
    // As it is on a primary that is one no more.
    const refused = transaction(policy, 'test.refused', systemCaller('test'), {}, async (tx) => {
      await tx.sql`INSERT INTO "setting" ("name", "value") VALUES ('refused', 'true')`;
      await tx.sql`SET TRANSACTION READ ONLY`;
      await appendEvent(tx, { type: 'TestEvent', resourceType: 'test', resourceId: 'x', sequence: 1n });
    });
    await expect(refused).rejects.toMatchObject({ status: 503, reason: 'unavailable' });
    expect((await over.pool.query(`SELECT FROM "setting" WHERE "name" = 'refused'`)).rowCount).toBe(0);
    await work(() => undefined);
  });

  it('says which statement was refused where nobody waited for it, and keeps nothing', async () => {
    const double = (then: (tx: Tx) => Promise<unknown>) =>
      transaction(policy, 'test.refused', systemCaller('test'), {}, async (tx) => {
        await tx.sql`INSERT INTO "setting" ("name", "value") VALUES ('unawaited', 'true')`;
        insertUnawaited(tx, 'setting', { name: 'unawaited', value: {} });
        insertUnawaited(tx, 'setting', { name: 'unawaited-2', value: {} });
        await then(tx);
      });
    // Met at the commit, and by a statement that cannot run any more.
    for (const then of [async () => undefined, (tx: Tx) => tx.sql`SELECT 1 AS one`]) {
      await expect(double(then)).rejects.toMatchObject({ code: '23505', table: 'setting' });
      expect((await over.pool.query(`SELECT FROM "setting" WHERE "name" LIKE 'unawaited%'`)).rowCount).toBe(0);
    }
    await work(() => undefined);
  });

  it('does not know the outcome when it ends while a statement that nobody waits for is on its way with the COMMIT', async () => {
    wire.onSent = (bytes) => {
      if (bytes.includes('INSERT INTO "setting"')) wire.cut();
    };
    const lost = transaction(policy, 'test.away', systemCaller('test'), {}, async (tx) =>
      insertUnawaited(tx, 'setting', { name: 'unawaited', value: {} }),
    );
    await expect(lost).rejects.toMatchObject({ status: 503, reason: 'outcomeUnknown' });
    wire.onSent = undefined;
    await work(() => undefined);
  });

  it('is given up when it says nothing more, and its connection is not used again', async () => {
    await work(() => undefined);
    wire.onSent = (bytes) => {
      if (bytes.includes('COMMIT')) wire.hold();
    };
    const began = Date.now();
    await expect(work(() => undefined)).rejects.toMatchObject({ status: 503, reason: 'outcomeUnknown' });
    const waitedMs = Date.now() - began;
    expect(waitedMs).toBeGreaterThan(5000);
    expect(waitedMs).toBeLessThan(9000);
    wire.onSent = undefined;
    wire.letGo();
    await work(() => undefined);
    expect(over.pool.totalCount).toBe(1);
  }, 15_000);
});
