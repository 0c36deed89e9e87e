import { AirtimeError, type Fault } from '../../kernel/error.ts';

/** Headers of an answer; names in their usual spelling. */
export type Headers = Readonly<Record<string, string>>;

/** An error that this door makes itself, with the headers that HTTP wants beside its status. */
export class HttpProblem extends AirtimeError {
  readonly headers: Headers;
  constructor(
    status: number,
    reason: string,
    message: string,
    detail: { headers?: Headers; faults?: readonly Fault[]; facts?: Record<string, unknown> } = {},
  ) {
    super(status, reason, message, detail);
    this.headers = detail.headers ?? {};
  }
}

/** The TMF Error, with the faults and facts of ours beside the attributes that the contract names. */
export interface TmfError {
  '@type': 'Error';
  /** The HTTP status as text, so that a stored error can be counted by kind. */
  code: string;
  /** Stable and short; the rule's code when a rule was broken. */
  reason: string;
  message: string;
  status: string;
  /** Where the standard of HTTP says what such a status means. */
  referenceError: string;
  fault?: Fault[];
  facts?: Record<string, unknown>;
}

export interface ProblemAnswer {
  status: number;
  headers: Headers;
  error: TmfError;
}

const sections: Readonly<Record<number, string>> = {
  428: 'rfc6585#section-3',
  429: 'rfc6585#section-4',
  431: 'rfc6585#section-5',
};

/** Sections 15.5.1 to 15.5.22 and 15.6.1 to 15.6.6 of RFC 9110 follow the status numbers. */
function referenceOf(status: number): string {
  const known = sections[status];
  if (known !== undefined) return `https://www.rfc-editor.org/rfc/${known}`;
  const [family, number] = status >= 500 ? [6, status - 499] : [5, status - 399];
  return `https://www.rfc-editor.org/rfc/rfc9110#section-15.${family}.${number}`;
}

/** What a caller is told of an error. Of a defect it shows nothing but the id under which the log has it. */
export function problemAnswer(error: unknown, requestId: string): ProblemAnswer {
  if (!(error instanceof AirtimeError)) {
    return problemAnswer(
      new AirtimeError(
        500,
        'internalError',
        `The server failed. Nothing of the cause is shown here; the operator finds it under request ${requestId}.`,
      ),
      requestId,
    );
  }
  const { status, reason, message, faults, facts } = error;
  const headers = {
    ...(status === 503 ? { 'Retry-After': '1' } : {}),
    ...(error instanceof HttpProblem ? error.headers : {}),
  };
  return {
    status,
    headers,
    error: {
      '@type': 'Error',
      code: String(status),
      reason,
      message,
      status: String(status),
      referenceError: referenceOf(status),
      ...(faults.length > 0 ? { fault: [...faults] } : {}),
      ...(Object.keys(facts).length > 0 ? { facts: { ...facts } } : {}),
    },
  };
}
