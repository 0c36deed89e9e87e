import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const schema = join(root, 'prisma', 'schema.prisma');
const migrations = join(root, 'prisma', 'migrations');
const client = join(root, 'generated', 'prisma');

const help = `Usage: npx tsx build/prisma/main.ts <verb>
  generate [--force]     write the database client to generated/prisma, when the schema changed
  new-migration <name>   compare schema.prisma with the migrations and write what is missing as a new one
  drift                  fail when schema.prisma and the migrations disagree
  anything else          goes to Prisma's own tool, with the engine that needs no download`;

const [verb, ...rest] = process.argv.slice(2);
process.exitCode = await run().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});

async function run(): Promise<number> {
  if (verb === undefined || verb === 'help' || verb === '--help') {
    process.stdout.write(`${help}\n`);
    return verb === undefined ? 2 : 0;
  }
  if (verb === 'generate') return generate(rest.includes('--force'));
  if (verb === 'new-migration') return newMigration(rest[0]);
  if (verb === 'drift') return drift();
  return prisma([verb, ...rest]);
}

/** Runs Prisma's tool. Its engine would come from a download that its install script makes, or fails to make. */
function prisma(args: string[]): number {
  const engine = fileURLToPath(new URL('./schema-engine.mjs', import.meta.url));
  try {
    accessSync(engine, constants.X_OK);
  } catch {
    // An archive may have lost the mark.
    chmodSync(engine, 0o755);
  }
  const tool = join(createRequire(import.meta.url).resolve('prisma/package.json'), '..', 'build', 'index.js');
  const environment = {
    CHECKPOINT_DISABLE: '1',
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    ...process.env,
    PRISMA_SCHEMA_ENGINE_BINARY: engine,
  };
  const { status, error } = spawnSync(process.execPath, [tool, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: environment,
  });
  if (error) throw error;
  return status ?? 1;
}

/** Skipped when nothing changed that the client depends on: the schema and the version of Prisma. */
function generate(force: boolean): number {
  const version = readFileSync(createRequire(import.meta.url).resolve('prisma/package.json'));
  const state = createHash('sha256').update(version).update(readFileSync(schema)).digest('hex');
  const stamp = join(client, '.made-from');
  if (!force && existsSync(stamp) && readFileSync(stamp, 'utf8') === state) return 0;
  const status = prisma(['generate']);
  if (status === 0) writeFileSync(stamp, state);
  return status;
}

async function newMigration(name: string | undefined): Promise<number> {
  if (!name || !/^[a-z][a-z0-9_]*$/.test(name)) {
    process.stderr.write('Give the migration a name of small letters, digits and _, such as add_roaming.\n');
    return 2;
  }
  const { script, leftAlone } = await compare();
  tellLeftAlone(leftAlone);
  if (script === '') {
    process.stdout.write('The migrations already make what schema.prisma says. Nothing was written.\n');
    return 0;
  }
  const time = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const directory = join(migrations, `${time}_${name}`);
  mkdirSync(directory);
  writeFileSync(join(directory, 'migration.sql'), script);
  process.stdout.write(
    `Wrote ${relative(root, join(directory, 'migration.sql'))}. Read it before it is applied:\n\n${script}`,
  );
  return 0;
}

async function drift(): Promise<number> {
  const { script, leftAlone } = await compare();
  if (script === '') {
    process.stdout.write('schema.prisma and the migrations agree.\n');
    return 0;
  }
  tellLeftAlone(leftAlone);
  process.stderr.write(
    `schema.prisma and the migrations disagree. This would make the migrations agree:\n\n${script}\n` +
      'Change schema.prisma, or write the migration: npx tsx build/prisma/main.ts new-migration <name>\n',
  );
  return 1;
}

/** Loaded when asked for: with it come the engine and the database driver. */
async function compare() {
  const { schemaDifference } = await import('./schema-difference.ts');
  return schemaDifference(schema, migrations);
}

function tellLeftAlone(leftAlone: string[]): void {
  if (leftAlone.length > 0) process.stdout.write(`Known to the SQL only, and left alone: ${leftAlone.join(', ')}.\n`);
}
