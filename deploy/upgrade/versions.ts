import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../processes.ts';

/** A version of the program in a folder of its own: its `dist/` and its migrations. */
export interface Version {
  readonly name: string;
  readonly folder: string;
}

export const current: Version = { name: 'the working copy', folder: root };

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
  {
    name: '29990101000200_index',
    sql: `-- airtime: no transaction
CREATE INDEX CONCURRENTLY "drill_rank" ON "subscription" ("drill_rank");
`,
  },
];

/** The working copy with further migrations, as the next release. */
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
