import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMigrations } from '../../app/database/migrate.ts';
import { root } from '../processes.ts';

/** A version of the program in a folder of its own: its `dist/` and its migrations. */
export interface Version {
  readonly name: string;
  readonly folder: string;
}

export const current: Version = { name: 'the working copy', folder: root };

/** Counts the claims of steps by the servers that call the function as it was, and by those that call the new one. */
export const claimCounters = { old: 'drill_claims_old', new: 'drill_claims_new' } as const;

/** How the program claims steps now, and how the next release does: with one argument more. Neither has quotes: it stands in them. */
export const claimCalls = {
  old: 'claim_steps($1, $2, make_interval(secs => $3), $4, $5)',
  new: 'claim_steps($1, $2, make_interval(secs => $3), $4, $5, $1)',
} as const;

/**
 * What a next release may bring: columns in tables that everybody reads and writes all the time, a table, a function with
 * one more parameter, and an index that is built while others write. Each is additive: the version before does not know.
 */
export const planted: readonly { name: string; sql: string }[] = [
  {
    name: '29990101000000_columns',
    sql: `ALTER TABLE "customer" ADD COLUMN "drill_note" TEXT;
ALTER TABLE "subscription" ADD COLUMN "drill_rank" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "product_order" ADD COLUMN "drill_note" TEXT;
ALTER TABLE "payment" ADD COLUMN "drill_note" TEXT;
ALTER TABLE "flow_step" ADD COLUMN "drill_note" TEXT;
ALTER TABLE "bucket" ADD COLUMN "drill_note" TEXT;
ALTER TABLE "usage" ADD COLUMN "drill_note" TEXT;
`,
  },
  {
    name: '29990101000100_table',
    sql: `CREATE TABLE "drill" ("id" TEXT PRIMARY KEY, "customer_id" TEXT REFERENCES "customer" ("id"));
SELECT guard_table('drill');
`,
  },
  { name: '29990101000150_function', sql: widerClaim() },
  {
    name: '29990101000200_index',
    sql: `-- airtime: no transaction
CREATE INDEX CONCURRENTLY "drill_rank" ON "subscription" ("drill_rank");
`,
  },
];

/**
 * A migration that gives `claim_steps`, which every server calls all the time, one more parameter: a function of the same
 * name beside it does the work, and the one that the version before calls keeps its signature and passes on to it. The
 * new parameter has no default, so that no call fits both. Both count their calls, each in a sequence.
 * @throws Error where the migrations define `claim_steps` in a way that this cannot read.
 */
function widerClaim(): string {
  const definition =
    /CREATE (?:OR REPLACE )?FUNCTION claim_steps\(([^)]*)\)([\s\S]*?)\$\$([\s\S]*?\nBEGIN\n)([\s\S]*?)\$\$;/g;
  const all = readMigrations(join(root, 'prisma/migrations')).flatMap(({ sql }) => [...sql.matchAll(definition)]);
  const [, parameters = '', traits = '', declarations = '', body = ''] = all.at(-1) ?? [];
  const taken = parameters.split(',').map((one) => one.replace(/\s+DEFAULT\s.*$/i, '').trim());
  const names = taken.map((one) => one.split(' ')[0]);
  if (body === '' || names.length !== 5) throw new Error('no migration defines claim_steps with five parameters');
  return `CREATE SEQUENCE "${claimCounters.old}";
CREATE SEQUENCE "${claimCounters.new}";
CREATE FUNCTION claim_steps(${taken.join(', ')}, p_note text)${traits}$$${declarations}  PERFORM nextval(CASE WHEN p_note IS NULL THEN '${claimCounters.old}' ELSE '${claimCounters.new}' END);
${body}$$;
CREATE OR REPLACE FUNCTION claim_steps(${parameters}) RETURNS SETOF "flow_step" LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN QUERY SELECT * FROM claim_steps(${names.join(', ')}, NULL);
END $$;
`;
}

/** The working copy with further migrations, as the next release, whose program calls the function that they bring. */
export function nextVersion(folder: string, migrations: typeof planted): Version {
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(root, 'prisma/migrations'), join(folder, 'prisma/migrations'), { recursive: true });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const { name, sql } of migrations) {
    mkdirSync(join(folder, 'prisma/migrations', name));
    writeFileSync(join(folder, 'prisma/migrations', name, 'migration.sql'), sql);
  }
  let changed = 0;
  for (const name of readdirSync(join(folder, 'dist'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.js')) continue;
    const file = join(folder, 'dist', name);
    const text = readFileSync(file, 'utf8');
    if (!text.includes(claimCalls.old)) continue;
    writeFileSync(
      file,
      text.replaceAll(claimCalls.old, () => claimCalls.new),
    );
    changed += 1;
  }
  if (changed === 0) throw new Error(`nothing in dist/ calls ${claimCalls.old}: the drill is behind the program`);
  return { name: `the working copy with ${migrations.length} more migrations`, folder };
}

/** A commit, checked out and built with the packages of the working copy. @returns how to remove it, beside it. */
export function builtVersion(folder: string, commit: string): Version & { remove(): void } {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  git('worktree', 'add', '--detach', folder, commit);
  const remove = () => void git('worktree', 'remove', '--force', folder);
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    execFileSync('make', ['--assume-old=package.json', '--assume-old=package-lock.json', 'dist/.stamp'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return { name: `commit ${commit}`, folder, remove };
  } catch (error) {
    remove();
    throw error;
  }
}
