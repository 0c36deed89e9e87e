import type { z } from 'zod';
import { RequestRefused } from './outcome.ts';

/** The value in its shape, or `RequestRefused`. The message names the field and the rule, never the value. */
export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? 'request' : issue.path.join('.');
  throw new RequestRefused('invalid_request', `${where}: ${issue?.message ?? 'is not valid'}`);
}
