import { z } from 'zod';
import type { MailMessage } from './mail.ts';

// What goes into a header is one line: a line end would begin a header of somebody else's making.
const oneLine = z.string().regex(/^\P{Cc}*$/u, 'must be one line without control characters');

/** A message that may be handed over, whoever carries it. */
export const mailMessage = z.object({
  key: oneLine.min(1).max(255),
  to: z.email().max(254),
  toName: oneLine.max(200).optional(),
  subject: oneLine.min(1).max(998),
  text: z.string(),
  html: z.string().optional(),
}) satisfies z.ZodType<MailMessage>;
