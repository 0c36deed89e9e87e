import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { type Api, apis, type Operation, operations } from '../generated/operations.ts';
import { loadValidators } from '../generated/validators/index.ts';
import type { ApiValidators } from '../generated/validators/validator.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';

/** One answer, and what of it the contract does not allow. */
export interface Answer {
  readonly request: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Undefined for an empty body and for one that is not JSON. */
  readonly body: Json | undefined;
}

export interface Ask {
  id?: string;
  /** The query without its question mark. */
  search?: string;
  body?: Json;
  /** Sent as it stands, in place of `body`. */
  text?: string;
  headers?: Record<string, string>;
  /** Another caller than the operator; null for nobody. */
  token?: string | null;
  /** Another method than the operation's, for HEAD, OPTIONS and what is not offered. */
  method?: string;
}

export interface RawAsk {
  method: string;
  path: string;
  headers?: Record<string, string>;
  text?: string;
}

/** What was seen of one operation. */
export interface Seen {
  succeeded: number;
  /** By a rule, to somebody who may ask. */
  refused: number;
  refusedStranger: number;
  errors: number;
}

export interface Violation {
  operation: string;
  request: string;
  what: string;
}

export interface Client {
  readonly publicUrl: string;
  readonly token: string;
  /** Calls an operation and judges its answer by the contract. */
  ask(operation: Operation, ask?: Ask): Promise<Answer>;
  /** Sends anything anywhere. Nothing is judged. */
  raw(ask: RawAsk): Promise<Answer>;
  /** Runs a tool and gives its result. */
  tool(name: string, input: Json): Promise<Json>;
  readonly seen: ReadonlyMap<string, Seen>;
  readonly violations: readonly Violation[];
  requests(): number;
  close(): void;
}

export const keyOf = (operation: Operation): string => `${operation.api}.${operation.operationId}`;
export const isApi = (name: string): name is Api => apis.some((one) => one.api === name);

export function apiOf(name: string): Api {
  if (!isApi(name)) throw new Error(`there is no API ${name}`);
  return name;
}

export function basePathOf(api: string): string {
  const found = apis.find((one) => one.api === api)?.basePaths[0];
  if (found === undefined) throw new Error(`there is no API ${api}`);
  return found;
}

/** The served operation of a kind on a resource, or undefined where the contract has none. */
export function operationOf(api: string, resource: string, kind: Operation['kind']): Operation | undefined {
  return operations.find((one) => one.served && one.api === api && one.resource === resource && one.kind === kind);
}

export function hubOperation(api: string, kind: 'registerListener' | 'unregisterListener'): Operation {
  const found = operations.find((one) => one.api === api && one.kind === kind);
  if (!found) throw new Error(`${api} has no hub`);
  return found;
}

export function pathOf(operation: Operation, id = ''): string {
  return `${basePathOf(operation.api)}${operation.path.replace('{id}', encodeURIComponent(id))}`;
}

const patchType = 'application/merge-patch+json';
const answerMsMax = 30_000;

/** What makes a body the Error of TMF630, or what is wrong with it. */
export function errorFlaw(status: number, body: Json | undefined): string | undefined {
  if (!isJsonObject(body)) return 'an error has a TMF Error as its body';
  const missing = ['code', 'reason', 'message', 'status', 'referenceError'].filter(
    (name) => typeof body[name] !== 'string' || body[name] === '',
  );
  if (missing.length > 0) return `an error has ${missing.join(', ')} as text`;
  if (body.status !== String(status)) return `the error says status ${String(body.status)}, the answer ${status}`;
  return undefined;
}

const validators = new Map<Api, Promise<ApiValidators>>();

export function validatorsOf(api: Api): Promise<ApiValidators> {
  const known = validators.get(api) ?? loadValidators[api]();
  validators.set(api, known);
  return known;
}

const isCount = (value: unknown): boolean => typeof value === 'string' && /^\d+$/.test(value);

function headerFlaws(operation: Operation, { status, headers, text }: Answer): string[] {
  const flaws: string[] = [];
  if (status === 204 && text !== '') flaws.push('204 has no body');
  if (text !== '' && !/^application\/json(;|$)/.test(headers['content-type'] ?? '')) {
    flaws.push(`the media type is ${headers['content-type']}`);
  }
  if (operation.kind === 'list' && status < 300) {
    for (const name of ['x-total-count', 'x-result-count'])
      if (!isCount(headers[name])) flaws.push(`${name} is a number`);
    if (status === 206 && headers.link === undefined && !text.startsWith('[]')) flaws.push('206 has Link');
  }
  if (status === 201 && headers.location === undefined) flaws.push('201 has Location');
  if (operation.kind === 'retrieve' && status === 200 && headers.etag === undefined) flaws.push('an item has an ETag');
  return flaws;
}

async function contractFlaws(operation: Operation, answer: Answer, isPartial: boolean): Promise<string[]> {
  const { status, body, text } = answer;
  const flaws = headerFlaws(operation, answer);
  if (status >= 500 && status !== 501) flaws.push(`status ${status}`);
  if (status >= 400) {
    const flaw = errorFlaw(status, body);
    if (flaw !== undefined) flaws.push(flaw);
  } else if (!operation.successStatuses.includes(status)) {
    flaws.push(`status ${status} is none that the contract gives`);
  }
  const own = (await validatorsOf(apiOf(operation.api))).operations[operation.operationId];
  if (!own) return [...flaws, 'the contract has no such operation'];
  const checks = isPartial ? own.responsePartial : own.response;
  const check = Object.hasOwn(checks, String(status)) ? checks[String(status)] : checks.default;
  if (!check) {
    if (text !== '') flaws.push('a body that the contract does not have');
  } else if (!check(body)) {
    const errors = (check.errors ?? [])
      .slice(0, 3)
      .map((error) => `${error.instancePath} ${error.message ?? error.keyword}`);
    flaws.push(`the body breaks the contract: ${errors.join('; ')}`);
  }
  return flaws;
}

function parsed(text: string): Json | undefined {
  if (text === '') return undefined;
  try {
    const body: Json = JSON.parse(text);
    return body;
  } catch {
    return undefined;
  }
}

/** A client that has never heard of the server: it knows the contracts and nothing else. */
export function makeClient(connection: { url: string; token: string; publicUrl: string }): Client {
  const { url, token, publicUrl } = connection;
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const seen = new Map<string, Seen>();
  const violations: Violation[] = [];
  let requests = 0;

  function raw({ method, path, headers = {}, text }: RawAsk): Promise<Answer> {
    requests += 1;
    const length: Record<string, string> =
      text === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(text)) };
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        { agent, hostname, port, method, path, headers: { ...length, ...headers }, timeout: answerMsMax },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('error', reject);
          response.once('end', () => {
            const received = Buffer.concat(chunks).toString('utf8');
            resolve({
              request: `${method} ${path}`,
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: received,
              body: parsed(received),
            });
          });
        },
      );
      request.once('timeout', () => request.destroy(new Error(`${method} ${path} was not answered in time`)));
      request.once('error', reject);
      request.end(text);
    });
  }

  async function ask(operation: Operation, asked: Ask = {}): Promise<Answer> {
    const method = asked.method ?? operation.method.toUpperCase();
    const text = asked.text ?? (asked.body === undefined ? undefined : JSON.stringify(asked.body));
    const bearer = asked.token === undefined ? token : asked.token;
    const search = asked.search === undefined || asked.search === '' ? '' : `?${asked.search}`;
    const answer = await raw({
      method,
      path: `${pathOf(operation, asked.id)}${search}`,
      headers: {
        Accept: 'application/json',
        ...(bearer === null ? {} : { Authorization: `Bearer ${bearer}` }),
        ...(text === undefined ? {} : { 'Content-Type': method === 'PATCH' ? patchType : 'application/json' }),
        ...asked.headers,
      },
      ...(text === undefined ? {} : { text }),
    });
    if (asked.method !== undefined) return answer;
    const known = seen.get(keyOf(operation)) ?? { succeeded: 0, refused: 0, refusedStranger: 0, errors: 0 };
    if (answer.status < 300) known.succeeded += 1;
    if (answer.status === 409 || answer.status === 422) known.refused += 1;
    if (answer.status === 401 && bearer === null) known.refusedStranger += 1;
    if (answer.status >= 400) known.errors += 1;
    seen.set(keyOf(operation), known);
    const isPartial = /(^|&)fields=/.test(asked.search ?? '');
    for (const what of await contractFlaws(operation, answer, isPartial)) {
      violations.push({ operation: keyOf(operation), request: `${answer.request} -> ${answer.status}`, what });
    }
    return answer;
  }

  async function tool(name: string, input: Json): Promise<Json> {
    const call = (more: Record<string, string>) =>
      raw({
        method: 'POST',
        path: `/tools/${name}`,
        headers: {
          Authorization: `Bearer ${token}`,
          'Content-Type': 'application/json',
          Accept: 'application/json',
          ...more,
        },
        text: JSON.stringify(input),
      });
    const first = await call({});
    const proposed = isJsonObject(first.body) ? first.body.confirmation : undefined;
    // What moves money or destroys is proposed first: a check means it.
    const answer =
      isJsonObject(proposed) && typeof proposed.token === 'string'
        ? await call({ 'Confirmation-Token': proposed.token })
        : first;
    const result = isJsonObject(answer.body) ? answer.body.result : undefined;
    if (answer.status !== 200 || result === undefined)
      throw new Error(`${name} was answered ${answer.status}: ${answer.text.slice(0, 400)}`);
    return result;
  }

  return { publicUrl, token, ask, raw, tool, seen, violations, requests: () => requests, close: () => agent.destroy() };
}

/** Whether an operation answered somebody who may ask: with success, or with the refusal of a rule. */
export const isServed = (seen: Seen | undefined): boolean => seen !== undefined && seen.succeeded + seen.refused > 0;
/** Whether an operation was exercised with and without credentials. */
export const isCovered = (seen: Seen | undefined): boolean => isServed(seen) && (seen?.refusedStranger ?? 0) > 0;

/** The body as an object, or a failure that shows the answer. */
export function objectIn(answer: Answer): JsonObject {
  if (!isJsonObject(answer.body))
    throw new Error(`${answer.request} gave no object but ${answer.status} ${answer.text.slice(0, 200)}`);
  return answer.body;
}

/** The body as a list of objects, or a failure that shows the answer. */
export function listIn(answer: Answer): JsonObject[] {
  const { body } = answer;
  if (answer.status >= 300 || !Array.isArray(body) || !body.every(isJsonObject)) {
    throw new Error(`${answer.request} gave no list but ${answer.status} ${answer.text.slice(0, 200)}`);
  }
  return body;
}

export function textOf(value: Json | undefined, name: string): string {
  if (typeof value !== 'string') throw new Error(`${name} is no text`);
  return value;
}
