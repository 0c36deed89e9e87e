import { readFileSync } from 'node:fs';
import { withClient } from '../../app/database/roles.ts';
import { openTestDirectory, testServer } from '../../app/database/testing.ts';
import { openEngine } from './wasm-engine.ts';

export interface Difference {
  /** SQL that takes the migrations to the schema. Empty when the two agree. */
  script: string;
  /** What Prisma would remove only because it has no words for it, one line each. */
  leftAlone: string[];
}

/**
 * Plays the migrations into a scratch database of an embedded PostgreSQL and compares the result with the schema.
 *
 * Prisma does not see functions, triggers, CHECK and EXCLUDE constraints, views, partitions, and partial or expression
 * indexes, so it never touches them. It does see, and would remove, two things that only SQL can express:
 * - other indexes that the schema does not name. An index that Prisma makes is called `…_idx` or `…_key`; any other
 *   name says that the index belongs to the SQL;
 * - the expression of a generated column, which it takes for a default.
 * Both are left alone. A column of a type that Prisma lacks must stand in the schema as `Unsupported("…")`.
 */
export async function schemaDifference(schema: string, migrations: string): Promise<Difference> {
  const { directory, remove } = await openTestDirectory();
  try {
    const { ownerUrl } = await testServer(directory, migrations).testDatabase();
    const files = [{ path: schema, content: readFileSync(schema, 'utf8') }];
    const engine = await openEngine({ url: ownerUrl });
    const { stdout } = await engine.diff({
      from: { tag: 'schemaDatasource', files, configDir: '.' },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: null,
      filters: { externalTables: [], externalEnums: [] },
    });
    const generated = await withClient(ownerUrl, async (owner) => {
      const columns = await owner.query<{ name: string }>(
        `SELECT relname || '.' || attname AS name
           FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
          WHERE attgenerated <> '' AND relnamespace = 'public'::regnamespace`,
      );
      return new Set(columns.rows.map(({ name }) => name));
    });
    return withoutUnknown(stdout ?? '', generated);
  } finally {
    await remove();
  }
}

/**
 * Takes out of Prisma's script what would remove things it does not know.
 * @param generated columns that PostgreSQL computes, as `table.column`.
 */
export function withoutUnknown(script: string, generated: ReadonlySet<string>): Difference {
  const leftAlone: string[] = [];
  const kept = script
    .split(/\n\n+(?=-- )/)
    .map((block) => block.trim())
    .filter((block) => block !== '' && block !== '-- This is an empty migration.')
    .flatMap((block) => {
      const index = /DROP INDEX "([^"]+)";$/.exec(block)?.[1];
      if (index !== undefined && !/_(idx|key)$/.test(index)) {
        leftAlone.push(`index ${index}`);
        return [];
      }
      const alter = /^(-- AlterTable\n)ALTER TABLE "([^"]+)" ([\s\S]*);$/.exec(block);
      if (!alter) return [block];
      const [, comment = '', table = '', changes = ''] = alter;
      const wanted = changes.split(/,\n/).filter((change) => {
        const column = /^ALTER COLUMN "([^"]+)" DROP DEFAULT$/.exec(change.trim())?.[1];
        if (column === undefined || !generated.has(`${table}.${column}`)) return true;
        leftAlone.push(`generated column ${table}.${column}`);
        return false;
      });
      return wanted.length === 0 ? [] : [`${comment}ALTER TABLE "${table}" ${wanted.join(',\n')};`];
    });
  return { script: kept.length === 0 ? '' : `${kept.join('\n\n')}\n`, leftAlone };
}
