import { styleText } from 'node:util';

/** What a colour means here; a picture names the meaning, never the colour. */
export interface Paint {
  strong(text: string): string;
  quiet(text: string): string;
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
  accent(text: string): string;
}

const plain: Paint = {
  strong: (text) => text,
  quiet: (text) => text,
  good: (text) => text,
  warn: (text) => text,
  bad: (text) => text,
  accent: (text) => text,
};

// Whether to colour was decided by the caller, from its own stream and environment.
const always = { validateStream: false };

const colored: Paint = {
  strong: (text) => styleText('bold', text, always),
  quiet: (text) => styleText('dim', text, always),
  good: (text) => styleText('green', text, always),
  warn: (text) => styleText('yellow', text, always),
  bad: (text) => styleText('red', text, always),
  accent: (text) => styleText('cyan', text, always),
};

export function paintOf(color: boolean): Paint {
  return color ? colored : plain;
}

const good = [
  'active',
  'completed',
  'done',
  'captured',
  'settled',
  'enabled',
  'installed',
  'rated',
  'launched',
  'assigned',
  'confirmed',
  'resolved',
  'sent',
];
const warn = [
  'pending',
  'acknowledged',
  'inProgress',
  'held',
  'pendingActive',
  'initialized',
  'authorized',
  'authorised',
  'pendingAuthorization',
  'waiting',
  'running',
  'partial',
  'onHold',
  'new',
  'reserved',
  'assessingCancellation',
  'pendingCancellation',
  'quarantined',
];
const bad = [
  'blocked',
  'suspended',
  'failed',
  'denied',
  'rejected',
  'declined',
  'exhausted',
  'unpaid',
  'stuck',
  'terminatedWithError',
];

/** The colour of a state; one that is over or unknown is quiet. */
export function paintState(paint: Paint, state: string, text: string = state): string {
  if (good.includes(state)) return paint.good(text);
  if (warn.includes(state)) return paint.warn(text);
  if (bad.includes(state)) return paint.bad(text);
  return paint.quiet(text);
}
