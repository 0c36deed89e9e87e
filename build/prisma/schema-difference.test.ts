import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../app/database/migrate.ts';
import { withClient } from '../../app/database/roles.ts';
import { emptyTestDatabase } from '../../app/database/testing.ts';
import { schemaDifference, withoutUnknown } from './schema-difference.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const sql = `
  CREATE TABLE thing (
    id text NOT NULL, amount int NOT NULL, document jsonb NOT NULL, at timestamptz(3) NOT NULL,
    doubled int GENERATED ALWAYS AS (amount * 2) STORED,
    CONSTRAINT thing_pkey PRIMARY KEY (id), CONSTRAINT amount_positive CHECK (amount >= 0));
  CREATE INDEX thing_at_idx ON thing (at);
  CREATE INDEX thing_document ON thing USING gin (document jsonb_path_ops);
  CREATE INDEX thing_lower ON thing (lower(id));
  CREATE UNIQUE INDEX thing_large ON thing (amount) WHERE amount > 100;
  CREATE TABLE part (id bigint NOT NULL, at timestamptz(3) NOT NULL, CONSTRAINT part_pkey PRIMARY KEY (id, at))
    PARTITION BY RANGE (at);
  CREATE TABLE part_2026 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE VIEW seen AS SELECT id FROM thing;
  CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN NEW; END $$;
  CREATE TRIGGER guarded BEFORE UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION guard();`;

const model = (extra = '', index = '@@index([at])') => `
generator client {
  provider = "prisma-client"
  output   = "./client"
}
datasource db {
  provider = "postgresql"
}
model thing {
  id       String   @id
  amount   Int
  document Json
  at       DateTime @db.Timestamptz(3)
  doubled  Int?
  ${extra}
  ${index}
}
model part {
  id BigInt
  at DateTime @db.Timestamptz(3)
  @@id([id, at])
}
`;

let directory: string;
const compare = (schema: string) => {
  const path = join(directory, 'schema.prisma');
  writeFileSync(path, schema);
  return schemaDifference(path, join(directory, 'migrations'));
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'airtime-schema-'));
  mkdirSync(join(directory, 'migrations', '20260101000000_first'), { recursive: true });
  writeFileSync(join(directory, 'migrations', '20260101000000_first', 'migration.sql'), sql);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('the difference between the schema and the migrations', { timeout: 30_000 }, () => {
  it('is empty where they agree, and leaves alone what only SQL can say', async () => {
    const { script, leftAlone } = await compare(model());
    expect(script).toBe('');
    expect(leftAlone.sort()).toEqual(['generated column thing.doubled', 'index thing_document']);
  });

  it('names what the schema has gained and lost', async () => {
    const { script } = await compare(model('note String?\n  amounts Int[]', '@@index([amount])'));
    expect(script).toContain('DROP INDEX "thing_at_idx";');
    expect(script).toContain('CREATE INDEX "thing_amount_idx" ON "thing"("amount");');
    expect(script).toMatch(/ALTER TABLE "thing" ADD COLUMN\s+"amounts" INTEGER\[\],\s+ADD COLUMN\s+"note" TEXT;/);
    expect(script).not.toMatch(/doubled|thing_document|thing_large|part_2026|guard/);
  });

  it('fails with Prisma’s words when the schema is wrong', async () => {
    await expect(compare(model('note Strng'))).rejects.toThrow(/Strng/);
  });

  it('keeps a change that stands beside one it leaves alone', () => {
    const script = '-- AlterTable\nALTER TABLE "t" ALTER COLUMN "g" DROP DEFAULT,\nALTER COLUMN "d" DROP DEFAULT;\n';
    expect(withoutUnknown(script, new Set(['t.g']))).toEqual({
      script: '-- AlterTable\nALTER TABLE "t" ALTER COLUMN "d" DROP DEFAULT;\n',
      leftAlone: ['generated column t.g'],
    });
    expect(withoutUnknown('-- This is an empty migration.', new Set())).toEqual({ script: '', leftAlone: [] });
  });
});

describe('Prisma’s own tool on the engine that needs no download', { timeout: 60_000 }, () => {
  const prisma = (url: string, ...args: string[]) => {
    const command = ['--import', 'tsx', 'build/prisma/main.ts', ...args];
    const environment = { ...process.env, DATABASE_URL: url };
    const { status, stdout, stderr } = spawnSync(process.execPath, command, {
      cwd: root,
      env: environment,
      encoding: 'utf8',
    });
    return { status, said: stdout + stderr };
  };

  it('migrates a database that this program then takes for its own', async () => {
    const database = await emptyTestDatabase();
    const deploy = prisma(database.ownerUrl, 'migrate', 'deploy');
    expect(deploy.said).toContain('successfully applied');
    expect(deploy.status).toBe(0);
    expect(await migrate(database.ownerUrl, join(root, 'prisma', 'migrations'))).toEqual({ applied: [] });
    expect(prisma(database.ownerUrl, 'migrate', 'status').said).toContain('up to date');
    await database.drop();
  });

  it('fails aloud where there is nobody to talk to', async () => {
    const database = await emptyTestDatabase();
    await database.drop();
    const { status, said } = prisma(database.ownerUrl, 'migrate', 'status');
    expect(status).not.toBe(0);
    expect(said).toMatch(/P1003|does not exist/);
    await expect(withClient(database.ownerUrl, (client) => client.query('SELECT 1'))).rejects.toThrow();
  });
});
