import { isJsonObject, type Json } from '../../kernel/json.ts';
import { text } from './party.ts';

/** Whether a TMF time period begins before it ends. An open side is in order. */
export function isInOrder(period: Json | undefined): boolean {
  if (!isJsonObject(period)) return true;
  const start = text(period.startDateTime);
  const end = text(period.endDateTime);
  return start === undefined || end === undefined || Date.parse(start) <= Date.parse(end);
}
