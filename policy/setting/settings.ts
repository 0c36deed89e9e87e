import type { Pool } from 'pg';
import { z } from 'zod';
import { isTimeZone } from '../../kernel/calendar.ts';
import { isCurrency } from '../../kernel/money.ts';
import { runStatement, type Settings } from '../core/transaction.ts';

/** What an installation may decide, with what it starts from. */
export const settingsSchema = z.object({
  currency: z.string().refine(isCurrency, 'is not an ISO-4217 currency').default('SGD'),
  timeZone: z.string().refine(isTimeZone, 'is not a time zone').default('Asia/Singapore'),
  taxRate: z.number().int().min(0).max(10_000).default(900),
  numberQuarantineDays: z.number().int().min(0).max(3650).default(90),
  stockLow: z.number().int().min(0).max(1_000_000).default(50),
  unpaidTerminationDays: z.number().int().min(1).max(3650).default(90),
  usageRetentionDays: z.number().int().min(1).max(3650).default(90),
  vasValidityDays: z.number().int().min(1).max(3650).default(30),
  /** How many days before its renewal a customer is told; 0 tells nobody. */
  renewalNoticeDays: z.number().int().min(0).max(27).default(3),
  actionTimeoutMinutes: z.number().int().min(1).max(1440).default(30),
  auditRetentionDays: z.number().int().min(1).max(3650).default(90),
  /** How often a customer may write to the assistant in an hour of machine time. */
  chatTurnsPerHour: z.number().int().min(1).max(100_000).default(60),
  /** What a customer's conversations may cost in a month, in minor units of the currency. */
  chatCostPerMonth: z.number().int().min(0).max(1_000_000).default(500),
  chatRetentionDays: z.number().int().min(1).max(3650).default(365),
  orderRequiresVerifiedIdentity: z.boolean().default(false),
});

/** Reads the installation's settings. A value that is stored and wrong stops the start: nobody guesses a currency. */
export async function readSettings(pool: Pool): Promise<Settings> {
  const rows = await runStatement<{ name: string; value: unknown }>(pool, 'SELECT "name", "value" FROM "setting"', []);
  return settingsSchema.parse(Object.fromEntries(rows.map((row) => [row.name, row.value])));
}
