import { expect, test } from 'vitest';
import { writeIn } from './writes.ts';

test('every way to write in SQL is seen, and prose and reads are not', () => {
  for (const text of [
    'INSERT INTO "event" ("id") VALUES ($1)',
    'insert\n  into event values (1)',
    'UPDATE "hub" SET "query" = NULL',
    'update only hub h set query = null',
    'DELETE FROM usage',
    'WITH gone AS (DELETE FROM "usage" RETURNING "id") SELECT count(*) FROM gone',
    'TRUNCATE "event"',
    'truncate table event cascade',
    'MERGE INTO "setting" s USING x ON true',
    'COPY usage (id) FROM STDIN',
    'ALTER TABLE "event" DISABLE TRIGGER ALL',
    'DROP TRIGGER guard ON event',
    `SELECT set_config('airtime.command', 'mine', true)`,
    'SELECT record_usage($1)',
  ]) {
    expect([text, writeIn(text, ['record_usage'])]).toEqual([text, expect.any(String)]);
  }
  for (const text of [
    'SELECT "id" FROM "hub" WHERE "id" = $1 FOR UPDATE',
    'Update your card, then set a preferred one',
    'the record_usage function',
    `SELECT set_config('synchronous_commit', 'off', true)`,
  ]) {
    expect([text, writeIn(text, ['record_usage'])]).toEqual([text, undefined]);
  }
});
