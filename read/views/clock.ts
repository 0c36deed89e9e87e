import { z } from 'zod';
import { query, readOne } from './query.ts';
import { instant, readAt, readAtSql } from './shapes.ts';

export const clockShape = z.object({
  ...readAt,
  mode: z.enum(['wall', 'frozen']).describe('wall: business time is machine time; frozen: it stands until it is moved'),
  machineNow: instant,
  aheadSeconds: z.number().describe('How far business time is ahead of machine time; negative when behind'),
  due: z.object({
    now: z.number().int().describe('Steps that are due and not done'),
    nextDay: z.number().int().describe('Steps that fall due within 24 hours of business time'),
    next: z.object({ at: instant, flow: z.string(), step: z.string() }).nullable(),
  }),
});
export type ClockView = z.infer<typeof clockShape>;

export const showClock = query({
  name: 'clock.show',
  summary: 'Show business time and what falls due next',
  audience: ['operator'],
  input: z.strictObject({}),
  output: clockShape,
  examples: ['bss clock show'],
  view: 'clock',
  run: (database) =>
    readOne(
      database,
      clockShape,
      'clock',
      'business',
      `SELECT json_build_object(${readAtSql},
        'mode', coalesce((SELECT "mode" FROM "business_clock"), 'wall'), 'machineNow', wire_time(clock_timestamp()),
        'aheadSeconds', round(extract(epoch FROM business_now() - clock_timestamp()))::bigint,
        'due', json_build_object(
          'now', (SELECT count(*) FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" <= business_now()),
          'nextDay', (SELECT count(*) FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" > business_now() AND "due_at" <= business_now() + interval '24 hours'),
          'next', (SELECT json_build_object('at', wire_time("due_at"), 'flow', "flow", 'step', "step") FROM "flow_step"
            WHERE "state" = 'waiting' AND "due_at" > business_now() ORDER BY "due_at", "not_before" LIMIT 1))) AS view`,
      [],
    ),
});
