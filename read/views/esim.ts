import { z } from 'zod';
import { ownerOf, query, readOne } from './query.ts';
import { readAt, readAtSql } from './shapes.ts';

export const esimShape = z.object({
  ...readAt,
  id: z.string(),
  state: z.string(),
  iccidLastFour: z.string().describe('The last four digits; the whole of it is never shown'),
  subscriptionId: z.string(),
  customerId: z.string(),
  msisdn: z.string().nullable(),
  activationCode: z
    .string()
    .describe('What a phone scans to fetch the profile (GSMA SGP.22: LPA:1$address$matching id). For its owner’s eyes'),
});
export type EsimView = z.infer<typeof esimShape>;

export const showEsim = query({
  name: 'esim.show',
  summary: 'Show the eSIM of a line with the code that a phone scans',
  audience: ['operator', 'customer'],
  input: z.strictObject({ subscriptionId: z.string().describe('The line') }),
  output: esimShape,
  positional: ['subscriptionId'],
  examples: ['bss esim show sub_…'],
  view: 'esim-card',
  run: (database, { subscriptionId }, caller) =>
    readOne(
      database,
      esimShape,
      'eSIM of subscription',
      subscriptionId,
      `SELECT json_build_object(${readAtSql}, 'id', e."id", 'state', e."state", 'iccidLastFour', right(e."iccid", 4), 'subscriptionId', s."id",
        'customerId', s."customer_id", 'msisdn', s."msisdn", 'activationCode', e."activation_code") AS view
      FROM "subscription" s JOIN "esim_profile" e ON e."id" = s."esim_id" AND e."subscription_id" = s."id"
      WHERE s."id" = $1 AND ($2::text IS NULL OR s."customer_id" = $2)`,
      [subscriptionId, ownerOf(caller)],
    ),
});
