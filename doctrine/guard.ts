import type pg from 'pg';

/** Things in the database that the guard does not cover, each with the reason. Names are `schema.name`. */
export const guardExceptions: Readonly<Record<string, string>> = {
  'public._prisma_migrations':
    'The list of applied migrations belongs to the owner, who writes it while migrating. The server has no right on it at all, which is tried here.',
  'public.bill_no':
    'A sequence has no triggers. The server may draw the next bill number, inside or outside a command, and never set it back; a number that was drawn and not used leaves a gap.',
  'public.event_position_seq':
    'A sequence has no triggers. It numbers events; the server may draw from it and never set it back.',
  'public.roaming_switch_position_seq':
    'A sequence has no triggers. It orders the switchings of a line’s roaming; the server may draw from it and never set it back.',
  'public.line_state_position_seq':
    'A sequence has no triggers. It orders the states of a line; the server may draw from it and never set it back.',
};

/** A write that the database let through, or an exception without need. */
export interface Gap {
  readonly relation: string;
  readonly role: 'server' | 'owner';
  readonly write: string;
  /** What the database answered instead of refusing: nothing, or a refusal of another kind. */
  readonly answer: string;
}

export interface GuardReport {
  readonly relations: readonly string[];
  readonly exceptions: readonly string[];
  /** Views: nothing can be written through them. */
  readonly views: readonly string[];
  /** Writes that were tried and refused. */
  readonly refused: number;
  readonly gaps: readonly Gap[];
}

interface Relation {
  schema: string;
  name: string;
  kind: string;
}

const systemSchemas = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'`;

const begin = `SELECT begin_command('doctrine.guard', '{}'::jsonb)`;
// The three ways in which the database says no: no right, or a guard's trigger, which says it with the same code.
const refusal = '42501';
// A view that joins or sums has no rows of its own to write.
const noRows = '55000';

/**
 * Tries to write every table, sequence and view of the catalogue without a command, as the server and as the owner, on
 * a row that is there. Everything is rolled back.
 * @param server signed in as the server's role, @param owner as the role that owns the tables.
 */
export async function tryToWrite(server: pg.Client, owner: pg.Client): Promise<GuardReport> {
  const { rows: relations } = await owner.query<Relation>(
    `SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS kind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE ${systemSchemas} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1, 2`,
  );
  const gaps: Gap[] = [];
  const exceptions: string[] = [];
  const views: string[] = [];
  let refused = 0;

  async function mustRefuse(
    role: 'server' | 'owner',
    relation: string,
    write: string,
    prepare?: string,
    undoCommand = false,
    isView = false,
  ): Promise<void> {
    const client = role === 'server' ? server : owner;
    await client.query('BEGIN');
    let answer: string | undefined = 'it was carried out';
    try {
      if (prepare) {
        await client.query(begin);
        await client.query(prepare);
      }
      if (undoCommand) await client.query(`SELECT set_config('airtime.command', '', true)`);
      const { rowCount } = await client.query(write);
      if (write.startsWith('UPDATE') || write.startsWith('DELETE')) answer = `it was carried out on ${rowCount} rows`;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      answer =
        code === refusal || (code === noRows && isView)
          ? undefined
          : `${code} ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      await client.query('ROLLBACK');
    }
    if (answer === undefined) refused += 1;
    else gaps.push({ relation, role, write, answer });
  }

  for (const { schema, name, kind } of relations) {
    const relation = `${schema}.${name}`;
    const quoted = `"${schema}"."${name}"`;
    if (kind === 'S') {
      if (guardExceptions[relation] === undefined) {
        gaps.push({
          relation,
          role: 'server',
          write: 'nextval',
          answer: 'a sequence that is on no list of exceptions',
        });
        continue;
      }
      exceptions.push(relation);
      await mustRefuse('server', relation, `SELECT setval('${relation}', 1)`);
      continue;
    }
    if (kind === 'v') {
      // A view that nothing can be written through needs no guard of its own.
      views.push(relation);
      for (const role of ['server', 'owner'] as const) {
        for (const write of ['INSERT', 'UPDATE', 'DELETE']) {
          await mustRefuse(role, relation, statement(write, quoted, 'id'), undefined, false, true);
        }
      }
      continue;
    }
    if (kind === 'm' || kind === 'f') {
      gaps.push({
        relation,
        role: 'server',
        write: 'any',
        answer: 'stored views and foreign tables are not guarded: none may be made',
      });
      continue;
    }
    if (guardExceptions[relation] !== undefined) {
      exceptions.push(relation);
      for (const write of ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) {
        await mustRefuse('server', relation, `${statement(write, quoted, 'id')}`);
      }
      continue;
    }
    const { insert, column } = await rowFor(owner, schema, name, quoted);
    const writes = [
      insert,
      statement('UPDATE', quoted, column),
      statement('DELETE', quoted, column),
      statement('TRUNCATE', quoted, column),
    ];
    for (const role of ['server', 'owner'] as const) {
      // A trigger for each row sees nothing where there is no row: one is put there by a command first.
      for (const write of writes) await mustRefuse(role, relation, write, write === insert ? undefined : insert, true);
    }
  }
  const all = relations.map(({ schema, name }) => `${schema}.${name}`);
  for (const name of Object.keys(guardExceptions)) {
    if (!all.includes(name))
      gaps.push({
        relation: name,
        role: 'owner',
        write: 'none',
        answer: 'an exception for something that is not there',
      });
  }
  return { relations: all, exceptions, views, refused, gaps };
}

function statement(write: string, quoted: string, column: string): string {
  switch (write) {
    case 'SELECT':
      return `SELECT count(*) FROM ${quoted}`;
    case 'INSERT':
      return `INSERT INTO ${quoted} DEFAULT VALUES`;
    case 'UPDATE':
      return `UPDATE ${quoted} SET "${column}" = "${column}"`;
    case 'DELETE':
      return `DELETE FROM ${quoted}`;
    default:
      return `TRUNCATE ${quoted}`;
  }
}

interface Column {
  name: string;
  type: string;
  required: boolean;
}

// Where a constraint wants a word and not just any.
const words: Readonly<Record<string, string>> = {
  'bucket.state': `'active'`,
  'business_clock.mode': `'wall'`,
  'business_clock.id': '1',
};

const literals: Readonly<Record<string, string>> = {
  text: `'doctrine'`,
  jsonb: `'{}'`,
  int4: '1',
  int8: '1',
  bool: 'false',
  timestamptz: 'now()',
  bytea: `'\\x00'`,
  _text: `'{}'`,
};

/** A statement that puts one row into a table, from what the catalogue says of its columns; nothing where it is full. */
async function rowFor(
  owner: pg.Client,
  schema: string,
  table: string,
  quoted: string,
): Promise<{ insert: string; column: string }> {
  const { rows: columns } = await owner.query<Column>(
    `SELECT a.attname AS name, t.typname AS type, a.attnotnull AND NOT a.atthasdef AS required
       FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
      WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity = '' ORDER BY a.attnum`,
    [`"${schema}"."${table}"`],
  );
  const needed = columns.filter(({ required }) => required);
  const values = needed.map(({ name, type }) => {
    const value = words[`${table}.${name}`] ?? literals[type];
    if (value === undefined) throw new Error(`${table}.${name} is of type ${type}, for which there is no sample value`);
    return value;
  });
  const list = needed.map(({ name }) => `"${name}"`).join(', ');
  const insert =
    needed.length === 0
      ? `INSERT INTO ${quoted} DEFAULT VALUES`
      : `INSERT INTO ${quoted} (${list}) VALUES (${values.join(', ')}) ON CONFLICT DO NOTHING`;
  return { insert, column: columns[0]?.name ?? 'id' };
}
