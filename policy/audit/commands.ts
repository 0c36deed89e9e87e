import { createHash } from 'node:crypto';
import { z } from 'zod';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';

/** Requests that were refused alike: by whom, at which door, why. No body, no secret, no text that a caller typed. */
export const refusedRequests = z.object({
  door: z.string().max(40),
  operation: z.string().max(120),
  status: z.int().min(400).max(599),
  code: z.string().max(120),
  callerId: z.string().max(120).nullable(),
  callerName: z.string().max(200).nullable(),
  audience: z.string().max(20).nullable(),
  customerId: z.string().max(120).nullable(),
  /** Where it came from; kept only while nobody knows who asked. */
  address: z.string().max(64).nullable(),
  /** Of the first of them, to find it in the log. */
  requestId: z.string().max(128).nullable(),
  count: z.int().min(1),
  firstAt: z.date(),
  lastAt: z.date(),
});
export type RefusedRequests = z.infer<typeof refusedRequests>;

/** What makes two refusals alike. */
export function refusalKey(one: RefusedRequests): Buffer {
  const parts = [one.door, one.operation, one.status, one.code, one.callerId, one.customerId, one.address];
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

/** Adds refusals to the audit, in one statement. Those that are alike share a row for each minute of machine time. */
export const recordRefusals = command({
  name: 'audit.record',
  summary: 'Write refused requests down',
  input: z.object({ refusals: z.array(refusedRequests).max(5000) }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, { refusals }) {
    // In order of the key, so that two processes that write at once do not wait for each other in a circle.
    const rows = refusals
      .map((one) => ({ ...one, key: refusalKey(one).toString('hex') }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    await tx.sql`INSERT INTO "refusal" AS r ("window_at", "key", "first_at", "last_at", "count", "door", "operation", "status", "code",
        "caller_id", "caller_name", "audience", "customer_id", "address", "request_id")
      SELECT date_trunc('minute', i."lastAt"), decode(i."key", 'hex'), i."firstAt", i."lastAt", i."count", i."door", i."operation", i."status", i."code",
        i."callerId", i."callerName", i."audience", i."customerId", i."address", i."requestId"
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS i("key" text, "firstAt" timestamptz, "lastAt" timestamptz, "count" int, "door" text,
        "operation" text, "status" int, "code" text, "callerId" text, "callerName" text, "audience" text, "customerId" text, "address" text, "requestId" text)
      ON CONFLICT ("window_at", "key") DO UPDATE SET "count" = r."count" + excluded."count",
        "first_at" = least(r."first_at", excluded."first_at"), "last_at" = greatest(r."last_at", excluded."last_at")`;
    return { recorded: rows.length };
  },
});

/** Forgets refusals that are older than the installation keeps them, in machine time. */
export const forgetRefusals = command({
  name: 'audit.forget',
  summary: 'Forget refused requests that are older than the audit keeps them',
  input: z.object({ limit: z.int().min(1).max(100_000).default(10_000) }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, input) {
    const gone = await tx.sql`DELETE FROM "refusal" WHERE ctid IN (
      SELECT ctid FROM "refusal" WHERE "last_at" < clock_timestamp() - make_interval(days => ${tx.settings.auditRetentionDays})
      ORDER BY "last_at" LIMIT ${input.limit} FOR UPDATE SKIP LOCKED) RETURNING "count"`;
    return { forgotten: gone.length };
  },
});

/** An answer to a customer named somebody else and was withheld: a defect of ours that the second check caught. */
export const recordOwnershipTrip = command({
  name: 'audit.ownership_trip',
  summary: 'Record that an answer to a customer named another customer',
  input: z.object({
    tool: z.string().max(120),
    customerId: z.string().max(120),
    foreignCustomerId: z.string().max(120),
  }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, { tool, customerId, foreignCustomerId }) {
    const id = tx.newId('req');
    await appendEvent(tx, {
      type: 'OwnershipTripEvent',
      resourceType: 'ownershipTrip',
      resourceId: id,
      sequence: 1n,
      resource: { id, tool, foreignCustomerId },
      customerId,
    });
    return { id };
  },
});
