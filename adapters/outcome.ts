/**
 * The two ways in which a call to the outside world ends without an answer. Everything else, a decline or a refusal
 * by the other side included, is an answer and is returned, not thrown.
 */

/**
 * The request left and no answer came back (time-out, connection lost, the other side broke), so its effect may or may
 * not have happened. Ask `find(key)`: an operation tells what became of it; `undefined` means that it had not arrived
 * yet, and then the same request is safe to send again, under the SAME key, because a key has one effect.
 */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
  readonly key: string | undefined;

  constructor(message: string, key?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.key = key;
  }
}

/**
 * The request was wrong in itself and had no effect; sending it again cannot help.
 * `key_reused`: the key already belongs to a different request. `invalid_request`: a value the interface forbids.
 * `unauthorised`: our credentials for the other side are wrong.
 */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  readonly code: RequestRefusedCode;

  constructor(code: RequestRefusedCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const requestRefusedCodes = ['key_reused', 'invalid_request', 'unauthorised'] as const;
export type RequestRefusedCode = (typeof requestRefusedCodes)[number];
