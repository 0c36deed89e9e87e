import { z } from 'zod';
import type { AuthoriseRequest, CaptureRequest, VoidRequest } from './card-gateway.ts';

/** What a request to a card gateway may hold, whichever gateway it is. */

export const requestKey = z.string().min(1).max(255);
export const cardToken = z.string().min(1).max(255);
export const paymentReference = z.string().min(1).max(255);
export const currencyCode = z.string().regex(/^[A-Z]{3}$/, 'must be an ISO-4217 code');
export const positiveMinor = z.int().positive();

export const authoriseRequest = z.object({
  key: requestKey,
  token: cardToken,
  amountMinor: positiveMinor,
  currency: currencyCode,
  reference: z.string().max(255),
}) satisfies z.ZodType<AuthoriseRequest>;

export const captureRequest = z.object({
  key: requestKey,
  gatewayReference: paymentReference,
  amountMinor: positiveMinor,
  currency: currencyCode,
}) satisfies z.ZodType<CaptureRequest>;

export const voidRequest = z.object({
  key: requestKey,
  gatewayReference: paymentReference,
}) satisfies z.ZodType<VoidRequest>;
