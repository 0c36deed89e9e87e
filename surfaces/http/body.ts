import type { IncomingHttpHeaders } from 'node:http';
import express, { type Request, type Response } from 'express';
import { cardNumberNeverStored, findCardSecret } from '../../kernel/card-number.ts';
import { AirtimeError, invalid, Refusal } from '../../kernel/error.ts';
import { findJsonFlaw, findUnfit } from './json.ts';
import { HttpProblem } from './problem.ts';

export interface BodyLimits {
  /** Bytes of a body, after decompression. */
  bodyBytesMax: number;
  /** Levels of arrays and objects in one another. */
  nestingMax: number;
  /** Items of one array; no limit of its own when not given. */
  arrayItemsMax?: number;
}

export interface BodyRules {
  accepted: readonly string[];
  /** The body is about paying: a card number is refused in any attribute. */
  aboutPaying: boolean;
  rulesOff: ReadonlySet<string>;
}

/**
 * The media type of a request's body, one of `accepted`.
 * @throws HttpProblem 415 for another one, for none, and for a character set other than UTF-8
 */
export function mediaTypeOf(headers: IncomingHttpHeaders, method: string, accepted: readonly string[]): string {
  const refuse = (message: string) =>
    new HttpProblem(415, 'unsupportedMediaType', message, {
      headers: { [method === 'PATCH' ? 'Accept-Patch' : 'Accept-Post']: accepted.join(', ') },
    });
  const header = headers['content-type'];
  if (header === undefined) throw refuse(`Name the media type of the body: Content-Type: ${accepted[0]}.`);
  const [type = '', ...parameters] = header.split(';').map((part) => part.trim().toLowerCase());
  if (!accepted.includes(type)) throw refuse(`The body must be ${accepted.join(' or ')}.`);
  const charset = parameters
    .find((part) => part.startsWith('charset='))
    ?.slice('charset='.length)
    .replaceAll('"', '');
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8') {
    throw refuse('The body must be in UTF-8.');
  }
  return type;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

const collectors = new Map<number, express.RequestHandler>();

/** All bytes of the body, decompressed where it says so. */
export async function bytesOf(request: Request, response: Response, bytesMax: number): Promise<Buffer> {
  let collect = collectors.get(bytesMax);
  if (!collect) {
    collect = express.raw({ type: () => true, limit: bytesMax, inflate: true });
    collectors.set(bytesMax, collect);
  }
  const run = collect;
  await new Promise<void>((resolve, reject) => {
    void run(request, response, (error: unknown) =>
      error === undefined ? resolve() : reject(collectProblem(error, bytesMax)),
    );
  });
  const body: unknown = request.body;
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

function collectProblem(error: unknown, bytesMax: number): unknown {
  // What was not read yet must not be taken for the next request.
  const headers = { Connection: 'close' };
  if (!(error instanceof Error)) return error;
  const type = 'type' in error ? error.type : undefined;
  switch (type) {
    case 'entity.too.large':
      return new HttpProblem(413, 'bodyTooLarge', `A body has at most ${bytesMax} bytes. Send less at once.`, {
        headers,
      });
    case 'encoding.unsupported':
      return new HttpProblem(
        415,
        'unsupportedEncoding',
        'Send the body plain, or compressed with gzip, deflate or br.',
        {
          headers: { ...headers, 'Accept-Encoding': 'gzip, deflate, br, identity' },
        },
      );
    case 'request.aborted':
    case 'request.size.invalid':
      return new HttpProblem(400, 'incompleteBody', 'The body ended before its announced length.', { headers });
    default:
      return 'status' in error && error.status === 400
        ? new HttpProblem(400, 'malformedBody', 'The body cannot be decompressed as its Content-Encoding says.', {
            headers,
          })
        : error;
  }
}

/**
 * Reads and judges the body: UTF-8, JSON, what can be kept unchanged, no card numbers.
 * @throws AirtimeError 400, 413, 415; Refusal `card.number_never_stored`
 */
export async function readBody(
  request: Request,
  response: Response,
  limits: BodyLimits,
  rules: BodyRules,
): Promise<{ value: unknown; mediaType: string }> {
  const length = request.headers['content-length'];
  const isEmpty = request.headers['transfer-encoding'] === undefined && (length === undefined || length === '0');
  if (isEmpty) {
    throw invalid('A body is missing.', [
      { field: 'the body', rule: 'is missing', remedy: `Send ${rules.accepted[0]}.` },
    ]);
  }
  const mediaType = mediaTypeOf(request.headers, request.method, rules.accepted);
  const bytes = await bytesOf(request, response, limits.bodyBytesMax);
  const value = parsed(textOf(bytes));
  judgeValue(value, limits, rules);
  return { value, mediaType };
}

/**
 * Judges what came in, whatever brought it: it can be kept unchanged, and holds no card number.
 * @throws AirtimeError 400; Refusal `card.number_never_stored`
 */
export function judgeValue(
  value: unknown,
  limits: Pick<BodyLimits, 'nestingMax' | 'arrayItemsMax'>,
  rules: Pick<BodyRules, 'aboutPaying' | 'rulesOff'>,
): void {
  const unfit = findUnfit(value, limits.nestingMax, limits.arrayItemsMax);
  if (unfit) throw invalid(`The body cannot be kept: ${unfit.field} ${unfit.rule}.`, [unfit]);
  refuseCardNumbers(value, rules);
}

function textOf(bytes: Buffer): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new AirtimeError(400, 'malformedBody', 'The body is not UTF-8.');
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const flaw = findJsonFlaw(text);
    if (!flaw) throw invalid('The body is not JSON.');
    const place = `line ${flaw.line}, column ${flaw.column}`;
    throw new AirtimeError(400, 'malformedJson', `The body is not JSON: at ${place}, ${flaw.expected} was expected.`, {
      faults: [
        {
          field: `the body, ${place}`,
          rule: `${flaw.expected} was expected`,
          remedy: 'Correct the body; a JSON checker shows the same place.',
        },
      ],
      facts: { offset: flaw.offset, line: flaw.line, column: flaw.column },
    });
  }
}

/** @throws Refusal that names the attribute, never its value */
export function refuseCardNumbers(value: unknown, rules: Pick<BodyRules, 'aboutPaying' | 'rulesOff'>): void {
  const { code, sentence } = cardNumberNeverStored;
  if (rules.rulesOff.has(code)) return;
  const field = findCardSecret(value, { aboutPaying: rules.aboutPaying });
  if (field !== undefined) throw new Refusal(code, sentence, { field });
}
