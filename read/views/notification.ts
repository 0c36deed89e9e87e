import { z } from 'zod';
import { query, readOne } from './query.ts';
import { arraySql, instant, page, readAt, readAtSql } from './shapes.ts';

const hubList = z.object({
  ...readAt,
  items: z.array(
    z.object({
      id: z.string(),
      api: z.string(),
      callback: z.string(),
      query: z.string().nullable(),
      condition: z.enum(['well', 'failing', 'parked']),
      waiting: z.number().int().describe('Events it has not confirmed yet'),
      parkedResources: z.number().int().describe('Resources whose events it refused too often'),
      failures: z.number().int().describe('How often in a row it could not be reached'),
      lastError: z.string().nullable(),
      createdAt: instant,
    }),
  ),
});
export type HubList = z.infer<typeof hubList>;

const conditionSql = `CASE WHEN h."parked_at" IS NOT NULL THEN 'parked' WHEN h."failures" > 0 THEN 'failing' ELSE 'well' END`;

export const listHubs = query({
  name: 'hub.list',
  summary: 'List who is told of events, and whether they listen',
  audience: ['operator'],
  input: z.strictObject({ api: z.string().optional().describe('Subscriptions of this API only'), limit: page.limit }),
  output: hubList,
  examples: ['bss hub list', 'bss hub list --api TMF622'],
  run: (database, input) =>
    readOne(
      database,
      hubList,
      'hub',
      'any',
      `SELECT json_build_object(${readAtSql}, 'items', ${arraySql(`
        SELECT json_build_object('id', h."id", 'api', h."api", 'callback', h."callback", 'query', h."query", 'condition', ${conditionSql},
          'waiting', (SELECT count(*) FROM "delivery" d WHERE d."hub_id" = h."id"),
          'parkedResources', (SELECT count(*) FROM "delivery_queue" q WHERE q."hub_id" = h."id" AND q."parked_at" IS NOT NULL),
          'failures', h."failures", 'lastError', h."last_error", 'createdAt', wire_time(h."created_at")) AS item
        FROM "hub" h WHERE $2::text IS NULL OR h."api" = $2 ORDER BY h."id" LIMIT $1`)}) AS view`,
      [input.limit, input.api ?? null],
    ),
});

const parkedList = z.object({
  ...readAt,
  total: z.number().int().describe('How many there are; the list may show fewer'),
  items: z.array(
    z.object({
      hub: z.string(),
      api: z.string(),
      callback: z.string(),
      resourceType: z.string().nullable().describe('Null when the whole hub is parked'),
      resourceId: z.string().nullable(),
      waiting: z.number().int().describe('Events that stand behind it'),
      firstEvent: z.string().nullable().describe('The event that did not arrive'),
      attempts: z.number().int(),
      lastError: z.string().nullable(),
      parkedAt: instant.describe('By the machine’s clock'),
    }),
  ),
});
export type ParkedList = z.infer<typeof parkedList>;

export const listParked = query({
  name: 'notification.parked',
  summary: 'List what subscribers did not take, and why',
  audience: ['operator'],
  input: z.strictObject({ hub: z.string().optional().describe('Of this hub only'), limit: page.limit }),
  output: parkedList,
  examples: ['bss notification parked', 'bss notification parked --hub hub_…'],
  run: (database, input) =>
    readOne(
      database,
      parkedList,
      'notification',
      'parked',
      `WITH parked AS (
        SELECT h."id" AS hub, h."api", h."callback", NULL::text AS type, NULL::text AS id, h."failures" AS attempts, h."last_error", h."parked_at"
          FROM "hub" h WHERE h."parked_at" IS NOT NULL AND ($2::text IS NULL OR h."id" = $2)
        UNION ALL
        SELECT h."id", h."api", h."callback", q."resource_type", q."resource_id", q."attempts", q."last_error", q."parked_at"
          FROM "delivery_queue" q JOIN "hub" h ON h."id" = q."hub_id" WHERE q."parked_at" IS NOT NULL AND ($2::text IS NULL OR h."id" = $2))
      SELECT json_build_object(${readAtSql}, 'total', (SELECT count(*) FROM parked), 'items', ${arraySql(`
        SELECT json_build_object('hub', p.hub, 'api', p."api", 'callback', p."callback", 'resourceType', p.type, 'resourceId', p.id,
          'waiting', (SELECT count(*) FROM "delivery" d WHERE d."hub_id" = p.hub AND (p.type IS NULL OR (d."resource_type" = p.type AND d."resource_id" = p.id))),
          'firstEvent', (SELECT e."id" FROM "delivery" d JOIN "event" e ON e."position" = d."position"
            WHERE d."hub_id" = p.hub AND d."resource_type" = p.type AND d."resource_id" = p.id ORDER BY d."resource_sequence", d."position" LIMIT 1),
          'attempts', p.attempts, 'lastError', p."last_error", 'parkedAt', wire_time(p."parked_at")) AS item
        FROM parked p ORDER BY p."parked_at", p.hub, p.id LIMIT $1`)}) AS view`,
      [input.limit, input.hub ?? null],
    ),
});
