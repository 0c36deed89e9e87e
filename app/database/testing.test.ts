import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withClient } from './roles.ts';
import { type TestDatabase, testDatabase } from './testing.ts';

describe('the database a test file is given', () => {
  let first: TestDatabase;
  let second: TestDatabase;

  beforeAll(async () => {
    [first, second] = await Promise.all([testDatabase(), testDatabase()]);
  });
  afterAll(() => Promise.all([first.drop(), second.drop()]));

  it('is migrated, and is nobody else’s', async () => {
    expect(first.database).not.toBe(second.database);
    await withClient(first.ownerUrl, (owner) => owner.query('CREATE TABLE only_here (id int)'));
    const answer = await withClient(second.ownerUrl, (owner) =>
      owner.query<{ here: string | null; migrations: number }>(
        "SELECT to_regclass('only_here') AS here, (SELECT count(*)::int FROM _prisma_migrations) AS migrations",
      ),
    );
    expect(answer.rows[0]?.here).toBeNull();
    expect(answer.rows[0]?.migrations).toBeGreaterThan(0);
  });

  it('is gone after drop, although somebody is connected', async () => {
    const third = await testDatabase();
    await withClient(third.serverUrl, async (client) => {
      await client.query('SELECT 1');
      await third.drop();
    });
    await expect(withClient(third.serverUrl, (client) => client.query('SELECT 1'))).rejects.toThrow(/does not exist/);
  });

  it('comes quickly once the template stands', async () => {
    const began = performance.now();
    const another = await testDatabase();
    const took = performance.now() - began;
    await another.drop();
    // About 0.05 to 0.15 s on two idle cores; the bound leaves room for a busy machine.
    expect(took).toBeLessThan(2_000);
  });
});
