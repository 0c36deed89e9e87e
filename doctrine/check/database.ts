import type pg from 'pg';
import { tryToWrite } from '../guard.ts';
import type { Finding, Judged } from './finding.ts';

/** What the catalogue of the live database says. */
export interface Catalogue {
  /** Tables of the house. */
  readonly tables: readonly string[];
  /** Functions that write, or that end in one that does. */
  readonly writers: readonly string[];
}

interface Routine {
  name: string;
  source: string;
  volatility: string;
  definer: boolean;
}

const routinesSql = `SELECT p.proname AS name, p.prosrc AS source, p.provolatile::text AS volatility, p.prosecdef AS definer
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public' ORDER BY 1`;

const ownWrite =
  /\b(insert\s+into|update\s+"|delete\s+from|truncate)\b|begin_command\s*\(|append_event\s*\(|set_config/i;

export async function readCatalogue(owner: pg.Client): Promise<Catalogue> {
  const { rows: tables } = await owner.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE '\\_prisma%' ORDER BY 1`,
  );
  const { rows: routines } = await owner.query<Routine>(routinesSql);
  const writers = new Set(routines.filter(({ source }) => ownWrite.test(source)).map(({ name }) => name));
  for (let before = -1; before !== writers.size; ) {
    before = writers.size;
    for (const { name, source, volatility } of routines) {
      if (volatility === 'v' && [...writers].some((one) => new RegExp(`\\b${one}\\s*\\(`).test(source)))
        writers.add(name);
    }
  }
  return { tables: tables.map(({ name }) => name), writers: [...writers].sort() };
}

const at = (what: string): Finding => ({ file: 'the database', line: 0, what });

/** What was planted is undone again: it stood in a transaction of its own. */
async function withPlant<T>(owner: pg.Client, statements: string, look: () => Promise<T>): Promise<T> {
  await owner.query('BEGIN');
  try {
    await owner.query(statements);
    return await look();
  } finally {
    await owner.query('ROLLBACK');
  }
}

/** Every table and view of the catalogue is written to without a command, as the server and as the owner, and refuses. */
export async function guardCheck(server: pg.Client, owner: pg.Client): Promise<Judged> {
  const report = await tryToWrite(server, owner);
  // The tries roll back by themselves, so these plants are committed and dropped.
  const plants: Readonly<Record<string, { make: string; drop: string }>> = {
    'public.planted_bare': {
      make: 'CREATE TABLE "planted_bare" ("id" text PRIMARY KEY)',
      drop: 'DROP TABLE "planted_bare"',
    },
    'public.planted_truncated': {
      make: `CREATE TABLE "planted_truncated" ("id" text PRIMARY KEY); SELECT guard_table('planted_truncated');
        DO $$ DECLARE t text; BEGIN FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'planted_truncated'::regclass AND NOT tgisinternal AND (tgtype & 32) <> 0
          LOOP EXECUTE format('DROP TRIGGER %I ON "planted_truncated"', t); END LOOP; END $$`,
      drop: 'DROP TABLE "planted_truncated"',
    },
    'public.planted_stored_view': {
      make: 'CREATE MATERIALIZED VIEW "planted_stored_view" AS SELECT 1 AS "id"',
      drop: 'DROP MATERIALIZED VIEW "planted_stored_view"',
    },
    'public.planted_seq': { make: 'CREATE SEQUENCE "planted_seq"', drop: 'DROP SEQUENCE "planted_seq"' },
  };
  for (const { make } of Object.values(plants)) await owner.query(make);
  const missed: string[] = [];
  try {
    const gaps = new Set((await tryToWrite(server, owner)).gaps.map(({ relation }) => relation));
    missed.push(...Object.keys(plants).filter((name) => !gaps.has(name)));
  } finally {
    for (const { drop } of Object.values(plants)) await owner.query(drop);
  }
  const count = Object.keys(plants).length;
  return {
    check: 'writes outside a command',
    refuses: 'a table, view or sequence that takes INSERT, UPDATE, DELETE or TRUNCATE outside a named command',
    looked: report.relations.length,
    unit: 'relations',
    violations: report.gaps.map(({ relation, role, write, answer }) =>
      at(`${relation}: ${write.slice(0, 40)} by the ${role}: ${answer}`),
    ),
    planted: count,
    caught: count - missed.length,
    missed,
  };
}

/** Where a function of the database may read the wall clock or draw lots, and why. */
const clockFunctions: Readonly<Record<string, string>> = {
  business_now: 'It is where business time comes from: the wall clock while business time runs with it.',
  begin_command: 'It keeps the instant that a transaction calls now.',
  new_id: 'It makes ids, which are drawn.',
  claim_steps: 'A lease runs in machine time.',
  extend_lease: 'A lease runs in machine time.',
  order_network: 'A step may run at once: its pause is counted in machine time.',
  tell_customer: 'A step may run at once: its pause is counted in machine time.',
  claim_deliveries: 'A lease runs in machine time.',
  keep_delivery_queue: 'A lease runs in machine time.',
  finish_deliveries: 'The pause before another try runs in machine time.',
  append_event: 'An event says both when it happened and when it was written down.',
  append_events: 'The same for the events of a transaction together.',
  begin_step: 'When a step was done is machine time, as all of its row but the instant it is due.',
  record_usage_batch: 'It appends events, many at once: when they were written down is machine time.',
};
const clockUse =
  /\b(now\s*\(\s*\)|clock_timestamp|current_timestamp|current_date|localtimestamp|transaction_timestamp|statement_timestamp|random\s*\(|gen_random_uuid)/i;
const businessNow = /\bbusiness_now\s*\(\s*\)/gi;

export async function functionsCheck(owner: pg.Client): Promise<Judged> {
  const faultsNow = async (): Promise<Finding[]> => {
    const { rows } = await owner.query<Routine>(routinesSql);
    const names = new Set(rows.map(({ name }) => name));
    return [
      ...rows.flatMap(({ name, source, definer }) => [
        ...(definer ? [at(`${name}() has the rights of its owner`)] : []),
        ...(clockUse.test(source.replace(/--.*$/gm, '').replace(businessNow, '')) && clockFunctions[name] === undefined
          ? [at(`${name}() reads the wall clock or draws lots`)]
          : []),
      ]),
      ...Object.keys(clockFunctions)
        .filter((name) => !names.has(name))
        .map((name) => at(`${name}() may read the wall clock and is not there`)),
    ];
  };
  const { rows } = await owner.query<Routine>(routinesSql);
  const violations = await faultsNow();
  const missed: string[] = [];
  const plants: Readonly<Record<string, string>> = {
    planted_wall: `CREATE FUNCTION planted_wall() RETURNS timestamptz LANGUAGE sql AS $$ SELECT now() $$`,
    planted_lot: `CREATE FUNCTION planted_lot() RETURNS float8 LANGUAGE sql AS $$ SELECT random() $$`,
    planted_definer: `CREATE FUNCTION planted_definer() RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$`,
  };
  for (const [name, statement] of Object.entries(plants)) {
    const found = await withPlant(owner, statement, faultsNow);
    if (!found.some(({ what }) => what.startsWith(`${name}()`))) missed.push(name);
  }
  return {
    check: 'functions of the database',
    refuses: 'a function that reads the wall clock, draws lots, or has more rights than its caller',
    looked: rows.length,
    unit: 'functions',
    violations,
    planted: Object.keys(plants).length,
    caught: Object.keys(plants).length - missed.length,
    missed,
  };
}

const floats = `SELECT c.relname || '.' || a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    AND (a.atttypid IN ('float4'::regtype, 'float8'::regtype, 'money'::regtype, 'numeric'::regtype)
      OR (a.attname ~ '_minor$' AND a.atttypid NOT IN ('int4'::regtype, 'int8'::regtype)))`;

/** @param plants a statement for each column that is to be found once it was run. @returns those that were not found. */
async function missedColumns(
  owner: pg.Client,
  plants: Readonly<Record<string, string>>,
  look: () => Promise<{ name: string }[]>,
): Promise<string[]> {
  const missed: string[] = [];
  for (const [name, statement] of Object.entries(plants)) {
    const found = await withPlant(owner, statement, look);
    if (!found.some((one) => one.name === name)) missed.push(name);
  }
  return missed;
}

/** No column holds money or quota as anything but an integer: no column of the house is of a type with a fraction. */
export async function columnsCheck(owner: pg.Client): Promise<Judged> {
  const look = async () => (await owner.query<{ name: string; type: string }>(floats)).rows;
  const { rows: columns } = await owner.query<{ count: string }>(
    `SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'`,
  );
  const violations = (await look()).map(({ name, type }) => at(`${name} is ${type}`));
  const plants: Readonly<Record<string, string>> = {
    'planted_money.price': 'CREATE TABLE "planted_money" ("price" numeric(12, 2))',
    'planted_float.rate': 'CREATE TABLE "planted_float" ("rate" float8)',
    'planted_text.amount_minor': 'CREATE TABLE "planted_text" ("amount_minor" text)',
  };
  const missed = await missedColumns(owner, plants, look);
  return {
    check: 'columns of money',
    refuses: 'a column with fractions, and an amount that is no integer',
    looked: Number(columns[0]?.count ?? 0),
    unit: 'columns',
    violations,
    planted: Object.keys(plants).length,
    caught: Object.keys(plants).length - missed.length,
    missed,
  };
}

const sortedJson = `SELECT c.relname || '.' || a.attname AS name
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    AND a.atttypid = 'jsonb'::regtype AND coalesce(a.attstattarget, -1) <> 0`;

/** ANALYZE sorts a sample of what it keeps statistics of. Of JSON that holds up requests, and serves no plan of ours. */
export async function statisticsCheck(owner: pg.Client): Promise<Judged> {
  const look = async () => (await owner.query<{ name: string }>(sortedJson)).rows;
  const { rows: columns } = await owner.query<{ count: string }>(
    `SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND data_type = 'jsonb'`,
  );
  const violations = (await look()).map(({ name }) => at(`${name} is JSON and has statistics: SET STATISTICS 0`));
  const plants: Readonly<Record<string, string>> = {
    'planted_json.document': 'CREATE TABLE "planted_json" ("document" jsonb)',
    'event.resource': 'ALTER TABLE "event" ALTER COLUMN "resource" SET STATISTICS 100',
  };
  const missed = await missedColumns(owner, plants, look);
  return {
    check: 'statistics of JSON',
    refuses: 'a column of JSON that ANALYZE sorts',
    looked: Number(columns[0]?.count ?? 0),
    unit: 'columns',
    violations,
    planted: Object.keys(plants).length,
    caught: Object.keys(plants).length - missed.length,
    missed,
  };
}
