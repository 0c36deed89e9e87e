import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
  type SqlQueryable,
} from '@prisma/driver-adapter-utils';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';
import { withClient, withSessionOptions } from '../../app/database/roles.ts';

export type SchemaEngine = bindings.SchemaEngine;

/** PostgreSQL's one-byte type `"char"`, which its catalog answers with and the adapter does not know. */
const charOid = 18;
const textOid = 25;

/**
 * Prisma's schema engine, compiled to WebAssembly, over the adapter for `pg`. It needs no download: the engine that
 * the command line tool wants is a program that is fetched from elsewhere.
 * @param options `url` is the database; without it only questions about files can be asked. `shadowUrl` is an empty
 *   database to play migrations into; without it one is made beside `url` and dropped again.
 */
export async function openEngine(options: {
  url?: string | undefined;
  shadowUrl?: string | undefined;
  datamodels?: [string, string][];
}): Promise<SchemaEngine> {
  await instantiate();
  const factory = bindMigrationAwareSqlAdapterFactory(adapters(options));
  return bindings.SchemaEngine.new({ datamodels: options.datamodels }, () => undefined, factory);
}

/** What the engine said when it gave up; its own errors carry only "unreachable". */
export let lastPanic: string | undefined;

let instantiated: Promise<void> | undefined;

function instantiate(): Promise<void> {
  instantiated ??= (async () => {
    const require = createRequire(import.meta.url);
    const directory = dirname(require.resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
    const binary = readFileSync(join(directory, 'schema_engine_bg.wasm'));
    const { instance } = await WebAssembly.instantiate(binary, { './schema_engine_bg.js': { ...bindings } });
    bindings.__wbg_set_wasm(instance.exports);
    const start = instance.exports.__wbindgen_start;
    if (typeof start === 'function') start();
    Object.assign(globalThis, {
      PRISMA_WASM_PANIC_REGISTRY: {
        set_message: (message: string) => {
          lastPanic = message;
        },
      },
    });
  })();
  return instantiated;
}

function adapters(options: { url?: string | undefined; shadowUrl?: string | undefined }) {
  const needUrl = (): string => {
    if (!options.url) throw new Error('This needs a database: set DATABASE_URL.');
    return options.url;
  };
  const factory: SqlMigrationAwareDriverAdapterFactory = {
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: () => (options.url ? openAdapter(options.url) : Promise.resolve(noDatabase())),
    connectToShadowDb: async () => {
      if (options.shadowUrl) return openAdapter(options.shadowUrl);
      const url = needUrl();
      const name = `prisma_shadow_${crypto.randomUUID().replaceAll('-', '_')}`;
      await withClient(url, (client) => client.query(`CREATE DATABASE ${name}`));
      const shadowUrl = new URL(url);
      shadowUrl.pathname = `/${name}`;
      const adapter = await openAdapter(shadowUrl.toString());
      const close = adapter.dispose.bind(adapter);
      adapter.dispose = async () => {
        // The adapter would drop the database while it is still connected to it.
        await close();
        await withClient(url, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
      };
      return adapter;
    },
  };
  return factory;
}

/** For comparing files: answers the engine's opening question and nothing else. */
function noDatabase(): SqlDriverAdapter {
  const none = () => Promise.reject(new Error('There is no database in this comparison.'));
  return {
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    queryRaw: (query) =>
      /version/i.test(query.sql)
        ? Promise.resolve({
            columnNames: ['exists', 'version', 'numeric_version'],
            columnTypes: [ColumnTypeEnum.Boolean, ColumnTypeEnum.Text, ColumnTypeEnum.Int32],
            rows: [[true, 'PostgreSQL 15.0', 150_000]],
          })
        : none(),
    executeRaw: none,
    executeScript: none,
    startTransaction: none,
    dispose: () => Promise.resolve(),
  };
}

async function openAdapter(address: string): Promise<SqlDriverAdapter> {
  const url = new URL(address);
  const schema = url.searchParams.get('schema') ?? undefined;
  url.searchParams.delete('schema');
  const pool = new pg.Pool({
    connectionString: withSessionOptions(url.toString(), { TimeZone: 'UTC' }),
    max: 2,
  });
  pool.on('error', () => undefined);
  pool.on('connect', markCharColumns);
  const factory = new PrismaPg(pool, { ...(schema ? { schema } : {}), disposeExternalPool: true });
  const adapter = withCharColumns(await factory.connect());
  const begin = adapter.startTransaction.bind(adapter);
  adapter.startTransaction = async (isolation) => withCharColumns(await begin(isolation));
  // The adapter splits a script at every semicolon, those inside function bodies too. PostgreSQL knows better.
  adapter.executeScript = async (script) => {
    await pool.query(script);
  };
  return adapter;
}

/** Ends the name of a column of type `"char"` on its way through the adapter. No real name holds a zero byte. */
const charMark = '\u0000char';

/** Presents `"char"` to the adapter as text, with a mark in the name by which it is told apart afterwards. */
function markCharColumns(client: pg.PoolClient): void {
  const query: (...given: unknown[]) => unknown = client.query.bind(client);
  Object.assign(client, {
    query: (...given: unknown[]) => {
      const last = given.at(-1);
      // The pool asks with a callback, a transaction with a promise.
      if (isCallback(last)) {
        return query(...given.slice(0, -1), (error: unknown, result: unknown) => last(error, markFields(result)));
      }
      const answer = query(...given);
      return answer instanceof Promise ? answer.then(markFields) : answer;
    },
  });
}

const isCallback = (value: unknown): value is (error: unknown, result: unknown) => void => typeof value === 'function';

function markFields(result: unknown): unknown {
  if (typeof result !== 'object' || result === null || !('fields' in result) || !Array.isArray(result.fields)) {
    return result;
  }
  for (const field of result.fields) {
    if (field.dataTypeID !== charOid) continue;
    field.dataTypeID = textOid;
    field.name = `${field.name}${charMark}`;
  }
  return result;
}

function withCharColumns<Queryable extends SqlQueryable>(queryable: Queryable): Queryable {
  const query = queryable.queryRaw.bind(queryable);
  queryable.queryRaw = async (asked) => {
    const result = await query(asked);
    result.columnNames.forEach((name, index) => {
      if (!name.endsWith(charMark)) return;
      result.columnNames[index] = name.slice(0, -charMark.length);
      result.columnTypes[index] = ColumnTypeEnum.Character;
    });
    return result;
  };
  return queryable;
}
