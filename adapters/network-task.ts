import { z } from 'zod';
import { type DesiredLine, type NetworkTask, networkStates } from './network.ts';

/** What may be asked of a network, whoever it is. */

export const taskKey = z.string().min(1).max(255);
export const lineId = z.string().min(1).max(255);
export const taskSequence = z.int().nonnegative();
/** ITU-T E.164: up to 15 digits. ITU-T E.118: 18 to 22 as written on profiles. */
export const msisdn = z.string().regex(/^\+?\d{3,15}$/, 'must be an E.164 number');
export const iccid = z.string().regex(/^\d{18,22}$/, 'must be an ICCID of 18 to 22 digits');

export const desiredLine = z.object({
  state: z.enum(networkStates),
  data: z.boolean(),
  voice: z.boolean(),
  sms: z.boolean(),
  roamingData: z.boolean(),
}) satisfies z.ZodType<DesiredLine>;

export const networkTask = z.object({
  key: taskKey,
  line: lineId,
  sequence: taskSequence,
  msisdn,
  iccid,
  desired: desiredLine,
}) satisfies z.ZodType<NetworkTask>;
