/** One attribute, parameter or header that was wrong, the rule it broke, and what to do. */
export interface Fault {
  field: string;
  rule: string;
  remedy: string;
}

/**
 * An error a caller may see. `status` is the HTTP status of the TMF door; `reason` is stable and short; `message` is a
 * sentence for a person. Everything that is not one of these is a defect and is answered 500 with nothing of it shown.
 */
export class AirtimeError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly faults: readonly Fault[];

  constructor(
    status: number,
    reason: string,
    message: string,
    detail: { facts?: Record<string, unknown>; faults?: readonly Fault[] } = {},
  ) {
    super(message);
    this.name = 'AirtimeError';
    this.status = status;
    this.reason = reason;
    this.facts = detail.facts ?? {};
    this.faults = detail.faults ?? [];
  }
}

/** A body, parameter or header that the contract does not allow. */
export function invalid(message: string, faults: readonly Fault[] = []): AirtimeError {
  return new AirtimeError(400, 'invalid', message, { faults });
}

export function notFound(resource: string, id: string): AirtimeError {
  return new AirtimeError(404, 'notFound', `There is no ${resource} ${id}.`, { facts: { resource, id } });
}

/** The state of the resource does not allow what was asked. */
export function conflict(reason: string, message: string, facts: Record<string, unknown> = {}): AirtimeError {
  return new AirtimeError(409, reason, message, { facts });
}

/** A rule of the house was broken. `code` is the rule's code. 409 where the state of the resource is in the way, else 422. */
export class Refusal extends AirtimeError {
  readonly code: string;
  constructor(code: string, sentence: string, facts: Record<string, unknown> = {}, status: 409 | 422 = 422) {
    super(status, code, sentence, { facts });
    this.name = 'Refusal';
    this.code = code;
  }
}
