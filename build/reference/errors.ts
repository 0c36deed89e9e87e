/** Every error that is not a rule's, with what a caller does about it. A test holds it against the sources. */
export interface ErrorReference {
  readonly status: number;
  readonly reason: string;
  readonly when: string;
  readonly remedy: string;
}

export const errors: readonly ErrorReference[] = [
  {
    status: 400,
    reason: 'invalid',
    when: 'A body or a parameter breaks the contract. `fault` names each attribute, the rule and what to do.',
    remedy: 'Mend the attributes that are named.',
  },
  {
    status: 400,
    reason: 'invalidQuery',
    when: 'Filter, sort, selection or paging cannot be understood.',
    remedy: 'Read `fault`: it names the parameter and what to send instead.',
  },
  {
    status: 400,
    reason: 'malformedJson',
    when: 'The body is not JSON, or has the same name twice.',
    remedy: 'The message says at which character.',
  },
  {
    status: 400,
    reason: 'malformedBody',
    when: 'The body is not UTF-8, or not compressed as its header says.',
    remedy: 'Send UTF-8.',
  },
  {
    status: 400,
    reason: 'incompleteBody',
    when: 'The body ended before its announced length.',
    remedy: 'Send it again, whole.',
  },
  {
    status: 400,
    reason: 'malformedRequest',
    when: 'What arrived is not HTTP.',
    remedy: 'Check what stands between caller and server.',
  },
  {
    status: 400,
    reason: 'badRequest',
    when: 'The framework cannot read the request; the status may be another of the four hundreds.',
    remedy: 'The message says which part.',
  },
  {
    status: 400,
    reason: 'tooManyParameters',
    when: 'The query has more parameters than are read.',
    remedy: 'Ask for less at once: the message says how many there may be.',
  },
  {
    status: 401,
    reason: 'unauthenticated',
    when: 'No token was sent.',
    remedy: 'Send `Authorization: Bearer` with it.',
  },
  {
    status: 401,
    reason: 'tokenRefused',
    when: 'The token is unknown, revoked or expired.',
    remedy: 'Ask the operator for another.',
  },
  {
    status: 403,
    reason: 'forbidden',
    when: 'The token has no scope for this. `WWW-Authenticate` names the scope.',
    remedy: 'Ask the operator for a token that has it.',
  },
  {
    status: 404,
    reason: 'notFound',
    when: 'There is no such path, resource or tool, or none that you may know of.',
    remedy: 'Check the path and the id; ids keep their case.',
  },
  {
    status: 405,
    reason: 'methodNotAllowed',
    when: 'The path does not answer this method.',
    remedy: 'The `Allow` header lists those it answers.',
  },
  {
    status: 406,
    reason: 'notAcceptable',
    when: '`Accept` rules out `application/json`.',
    remedy: 'Accept `application/json`.',
  },
  {
    status: 408,
    reason: 'requestTimeout',
    when: 'The request did not arrive in time.',
    remedy: 'Send it again; nothing was done.',
  },
  {
    status: 409,
    reason: 'answerNotKept',
    when: 'A request with this Idempotency-Key was answered with a secret, which is not stored.',
    remedy: 'Revoke the token that was made and make another.',
  },
  {
    status: 409,
    reason: 'idempotencyKeyBusy',
    when: 'A request with this Idempotency-Key is being answered now.',
    remedy: 'Send it again in a moment.',
  },
  {
    status: 412,
    reason: 'preconditionFailed',
    when: 'The resource is not the one that `If-Match` names.',
    remedy: 'Read it, look at what changed, and patch again.',
  },
  { status: 413, reason: 'bodyTooLarge', when: 'The body is larger than 1 MiB.', remedy: 'Send less at once.' },
  {
    status: 414,
    reason: 'targetTooLong',
    when: 'Path and query are longer than 16,384 characters.',
    remedy: 'Filter by less at once.',
  },
  {
    status: 415,
    reason: 'unsupportedMediaType',
    when: 'The body is of a media type that the operation does not take.',
    remedy: '`Accept-Post` or `Accept-Patch` lists those it takes.',
  },
  {
    status: 415,
    reason: 'unsupportedEncoding',
    when: 'The body is compressed in a way that is not understood.',
    remedy: 'Send it plain, or with gzip, deflate or br.',
  },
  {
    status: 417,
    reason: 'expectationFailed',
    when: '`Expect` holds more than `100-continue`.',
    remedy: 'Leave it out.',
  },
  {
    status: 422,
    reason: 'notProposed',
    when: 'A proposal was asked for a tool that neither moves money nor destroys.',
    remedy: 'Call the tool itself: it is done in one call.',
  },
  {
    status: 429,
    reason: 'rateLimited',
    when: 'The token, or the address, made more requests than it may in a minute.',
    remedy: 'Wait as many seconds as `Retry-After` says.',
  },
  { status: 431, reason: 'headersTooLarge', when: 'The headers are larger than 32 KiB.', remedy: 'Send fewer.' },
  {
    status: 500,
    reason: 'internalError',
    when: 'The server failed. Nothing of the cause is shown.',
    remedy: 'Give the operator the `X-Request-Id` of the answer.',
  },
  {
    status: 501,
    reason: 'unsupportedQuery',
    when: 'The query is well formed and asks for something that is not done here.',
    remedy: '`fault` says what to use instead.',
  },
  {
    status: 501,
    reason: 'notImplemented',
    when: 'The operation is in the contract and not offered by this server.',
    remedy: 'See the deviations of the API.',
  },
  {
    status: 503,
    reason: 'busy',
    when: 'The server has all the work it can take. Nothing was changed.',
    remedy: 'Wait as `Retry-After` says, then repeat.',
  },
  {
    status: 503,
    reason: 'unavailable',
    when: 'The database did not answer in time. Nothing was changed.',
    remedy: 'Wait as `Retry-After` says, then repeat.',
  },
  {
    status: 503,
    reason: 'outcomeUnknown',
    when: 'The connection to the database broke at the last moment: it may have been done.',
    remedy: 'Repeat with the same Idempotency-Key, or read first.',
  },
];
