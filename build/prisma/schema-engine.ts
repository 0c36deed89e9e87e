import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { withClient } from '../../app/database/roles.ts';
import { lastPanic, openEngine, type SchemaEngine } from './wasm-engine.ts';

/*
 * Stands in for the program `schema-engine` that Prisma's command line tool starts: the same arguments, and the same
 * JSON-RPC over standard input and output, one message on a line. Anything it does not know it refuses, because the
 * tool takes an engine that ends without a word for one that has done its work.
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    version: { type: 'boolean', short: 'V' },
    datamodels: { type: 'string', multiple: true },
    datasource: { type: 'string' },
    'extension-types': { type: 'string' },
  },
});

const datasource = readDatasource(values.datasource);

function readDatasource(json: string | undefined): { url?: string | undefined; shadowUrl?: string | undefined } {
  if (json === undefined) return {};
  const read: unknown = JSON.parse(json);
  const text = (key: string): string | undefined => {
    const found: unknown = typeof read === 'object' && read !== null ? Reflect.get(read, key) : undefined;
    return typeof found === 'string' && found !== '' ? found : undefined;
  };
  return { url: text('url'), shadowUrl: text('shadowDatabaseUrl') };
}

/** The three questions that are asked with an argument in place of a conversation. */
async function runOnce(verb: string | undefined): Promise<void> {
  const logLine = (level: string, fields: Record<string, unknown>) =>
    process.stderr.write(
      `${JSON.stringify({ timestamp: new Date().toISOString(), level, fields, target: 'schema_engine' })}\n`,
    );
  try {
    if (!datasource.url) throw new Error('DATABASE_URL is not set.');
    const name = decodeURIComponent(new URL(datasource.url).pathname.slice(1));
    const quoted = `"${name.replaceAll('"', '""')}"`;
    const beside = new URL(datasource.url);
    beside.pathname = '/postgres';
    if (verb === 'can-connect-to-database') {
      await withClient(datasource.url, (client) => client.query('SELECT 1'));
    } else if (verb === 'create-database') {
      await withClient(beside.toString(), (client) => client.query(`CREATE DATABASE ${quoted}`));
    } else if (verb === 'drop-database') {
      await withClient(beside.toString(), (client) => client.query(`DROP DATABASE ${quoted} WITH (FORCE)`));
    } else {
      throw new Error(`schema-engine cli ${verb} is not supported.`);
    }
    logLine('INFO', { message: 'ok' });
  } catch (error) {
    // The tool skips the first line of what a failed engine says.
    process.stderr.write('\n');
    logLine('ERROR', { message: messageOf(error), error_code: prismaCode(error), is_panic: false });
    process.exitCode = 1;
  }
}

/** Prisma's number for a failed connection. */
function prismaCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === '3D000') return 'P1003';
  if (code === 'ECONNREFUSED') return 'P1001';
  if (code.startsWith('28')) return 'P1000';
  return 'P1010';
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const send = (message: object) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);

/** Answers requests one after another, in the order in which they come, until the input ends. */
function serve(): void {
  let engine: Promise<SchemaEngine> | undefined;
  let current: unknown;
  let chain = Promise.resolve();
  const open = () => {
    const files = (values.datamodels ?? []).map((path): [string, string] => [path, readFileSync(path, 'utf8')]);
    engine ??= openEngine({ ...datasource, ...(files.length > 0 ? { datamodels: files } : {}) });
    return engine;
  };
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => {
    const message: unknown = line.trim() === '' ? undefined : JSON.parse(line);
    if (typeof message !== 'object' || message === null || !('method' in message) || !('id' in message)) return;
    const { id, method } = message;
    const params = 'params' in message ? message.params : undefined;
    chain = chain.then(async () => {
      current = id;
      try {
        send({ id, result: await answer(await open(), String(method), params) });
      } catch (error) {
        sendFailure(id, error);
      }
    });
  });
  input.on('close', () => chain.then(() => process.exit()));
  // A panic inside WebAssembly arrives outside every promise.
  process.on('uncaughtException', (error) => {
    sendFailure(current, error);
    process.exitCode = 101;
    setTimeout(() => process.exit(), 50);
  });
}

async function answer(engine: SchemaEngine, method: string, params: unknown): Promise<unknown> {
  if (method === 'getDatabaseVersion') return engine.version(undefined);
  // The stand-in's databases exist before it is asked.
  if (method === 'createDatabase') return { databaseName: '' };
  const call: unknown = Reflect.get(engine, method);
  if (typeof call !== 'function') throw new Error(`The schema engine in WebAssembly has no method ${method}.`);
  const result: unknown = await call.call(engine, params);
  if (method !== 'diff') return result ?? {};
  // The tool prints a difference that the engine sends to be printed, and ignores one that it returns.
  const { stdout, exitCode } = Object(result);
  if (typeof stdout === 'string') {
    send({ id: 1_000_000, method: 'print', params: { content: stdout.replace(/\n$/, '') } });
  }
  return { exitCode, stdout: null };
}

function sendFailure(id: unknown, error: unknown): void {
  const message = lastPanic ?? messageOf(error);
  const known = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const data = known
    ? {
        is_panic: false,
        message,
        meta: error instanceof Error && 'meta' in error ? error.meta : null,
        error_code: known,
      }
    : { is_panic: false, message, meta: null };
  send({ id, error: { code: 4466, message, data } });
}

if (values.version) {
  process.stdout.write('schema-engine-cli wasm\n');
} else if (positionals[0] === 'cli') {
  await runOnce(positionals[1]);
} else if (positionals.length === 0) {
  serve();
} else {
  process.stderr.write(`schema-engine: unknown argument ${positionals[0]}\n`);
  process.exitCode = 2;
}
