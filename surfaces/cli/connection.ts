import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { UsageError } from './input.ts';
import { type Environment, profileNamed, readProfiles } from './profiles.ts';

/** Where the server is and who we are to it. */
export interface Connection {
  url: string;
  token: string | undefined;
  /** Where the two came from, for errors and `doctor`. */
  from: string;
  /** The name of the server, when it has one. */
  profile?: string;
}

export interface ConnectionFile {
  path: string;
  url: string;
  token: string;
}

export const connectionFileName = join('.airtime', 'cli.json');

/**
 * What the server wrote when it started: in the home that AIRTIME_HOME names, as the server reads it, else in this folder
 * or the nearest one above it.
 */
export function findConnectionFile(folder: string, env: Environment = {}): ConnectionFile | undefined {
  const home = nonEmpty(env.AIRTIME_HOME);
  if (home !== undefined) return readConnection(join(resolve(folder, home), 'cli.json'));
  for (let here = resolve(folder); ; here = dirname(here)) {
    const found = readConnection(join(here, connectionFileName));
    if (found || dirname(here) === here) return found;
  }
}

function readConnection(path: string): ConnectionFile | undefined {
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  const value: Json = JSON.parse(text);
  if (isJsonObject(value) && typeof value.url === 'string' && typeof value.token === 'string') {
    return { path, url: value.url, token: value.token };
  }
  throw new Error(`${path} does not hold a url and a token. Start the server again: it writes the file.`);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
}

/**
 * What was said for this call comes first (`--server`, `--profile`), then the environment (AIRTIME_URL, AIRTIME_PROFILE,
 * and AIRTIME_TOKEN or AIRTIME_TOKEN_FILE), then the profile in use, then the file that a server wrote here. A token is
 * never an option: other users of the machine see the arguments of a process, and a shell keeps them. The token of a
 * profile or of the file goes to its own server only: an address given by hand does not get a token that was meant for
 * another, and a token in the environment is not sent to a profile. Undefined when no server is known here.
 */
export function connectionOf(
  given: { server?: string | undefined; profile?: string | undefined },
  env: Environment,
  folder: string,
): Connection | undefined {
  if (given.server !== undefined && given.profile !== undefined) {
    throw new UsageError('--server and --profile both say where the server is: give one.');
  }
  const url = given.server ?? (given.profile === undefined ? nonEmpty(env.AIRTIME_URL) : undefined);
  const token = nonEmpty(env.AIRTIME_TOKEN) ?? tokenOfFile(nonEmpty(env.AIRTIME_TOKEN_FILE));
  if (url === undefined) {
    const name = given.profile ?? nonEmpty(env.AIRTIME_PROFILE);
    const profile = name === undefined ? (token === undefined ? profileInUse(env) : undefined) : ofProfile(name, env);
    if (profile) return profile;
  }
  if (url !== undefined && token !== undefined)
    return { url: withoutSlash(url), token, from: 'options or environment' };
  const file = findConnectionFile(folder, env);
  if (url === undefined) {
    return file && { url: withoutSlash(file.url), token: token ?? file.token, from: file.path };
  }
  const isSameServer = file !== undefined && withoutSlash(file.url) === withoutSlash(url);
  return {
    url: withoutSlash(url),
    token: token ?? (isSameServer ? file.token : undefined),
    from: 'options or environment',
  };
}

function ofProfile(name: string, env: Environment): Connection {
  const { url, token } = profileNamed(readProfiles(env), name);
  return { url: withoutSlash(url), token, from: `profile ${name}`, profile: name };
}

function profileInUse(env: Environment): Connection | undefined {
  const { current } = readProfiles(env);
  return current === undefined ? undefined : ofProfile(current, env);
}

/** @throws when the file is not there or is empty */
export function tokenOfFile(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const text = readIfThere(path)?.trim();
  if (text === undefined || text === '') throw new Error(`AIRTIME_TOKEN_FILE: ${path} holds no token.`);
  return text;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}

export type Answer =
  | { outcome: 'done'; result: unknown }
  /** Money or destruction: nothing was done yet. `token` confirms it; undefined for a preview. */
  | { outcome: 'proposed'; proposal: JsonObject; token: string | undefined }
  /** The server said no. `error` is its body: a TMF Error with the facts a rule was judged on. */
  | { outcome: 'refused'; status: number; error: JsonObject }
  /** No server answered. `message` says what happened instead; `isLost` that the call may have been received. */
  | { outcome: 'unreachable'; message: string; isRefusedConnection: boolean; isLost: boolean };

const answerMsMax = 120_000;

/**
 * Calls a tool: `POST /tools/{name}` with its input as the body. Never throws for what a server or network does. When
 * the answer is lost the call is made once more under the same Idempotency-Key, so what it does is done once.
 */
export async function callTool(
  connection: Connection,
  tool: string,
  input: JsonObject,
  send: typeof fetch = fetch,
  how: { confirmation?: string; isPreview?: boolean; userAgent?: string; answerMs?: number } = {},
): Promise<Answer> {
  const request: RequestInit = {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      'user-agent': how.userAgent ?? 'bss',
      // A confirmation is its own key: with the same one again the server gives the first answer.
      ...(how.confirmation === undefined
        ? { 'idempotency-key': randomUUID() }
        : { 'confirmation-token': how.confirmation }),
      ...(connection.token === undefined ? {} : { authorization: `Bearer ${connection.token}` }),
    },
    body: JSON.stringify(input),
    // A token is sent to the server that was named, not to one that it points to.
    redirect: 'error',
  };
  const url = `${connection.url}/tools/${encodeURIComponent(tool)}${how.isPreview ? '/preview' : ''}`;
  const answerMs = how.answerMs ?? answerMsMax;
  const first = await attempt(url, request, send, answerMs);
  return first.outcome === 'unreachable' && first.isLost ? attempt(url, request, send, answerMs) : first;
}

async function attempt(url: string, request: RequestInit, send: typeof fetch, answerMs: number): Promise<Answer> {
  let response: Response;
  let text: string;
  try {
    response = await send(url, { ...request, signal: AbortSignal.timeout(answerMs) });
    text = await response.text();
  } catch (error) {
    return { outcome: 'unreachable', ...whyUnreachable(error, answerMs) };
  }
  const body = parsed(text);
  if (!response.ok) {
    const error = isJsonObject(body) ? body : { message: `The server answered ${response.status}.` };
    return { outcome: 'refused', status: response.status, error };
  }
  if (isJsonObject(body) && isJsonObject(body.proposal)) {
    const { confirmation } = body;
    const token = isJsonObject(confirmation) && typeof confirmation.token === 'string' ? confirmation.token : undefined;
    return { outcome: 'proposed', proposal: body.proposal, token };
  }
  if (!isJsonObject(body) || !Object.hasOwn(body, 'result')) {
    return {
      outcome: 'unreachable',
      message: 'what answers there is not Airtime',
      isRefusedConnection: false,
      isLost: false,
    };
  }
  return { outcome: 'done', result: body.result };
}

function parsed(text: string): Json | undefined {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

function whyUnreachable(
  error: unknown,
  answerMs: number,
): { message: string; isRefusedConnection: boolean; isLost: boolean } {
  const causes: unknown[] = [];
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    causes.push(one);
    if (one instanceof AggregateError) causes.push(...one.errors);
  }
  const codes = causes.flatMap((one) => (one instanceof Error && 'code' in one ? [String(one.code)] : []));
  if (codes.includes('ECONNREFUSED'))
    return { message: 'nothing listens there', isRefusedConnection: true, isLost: false };
  if (codes.includes('ENOTFOUND'))
    return { message: 'there is no such host', isRefusedConnection: false, isLost: false };
  if (error instanceof Error && error.name === 'TimeoutError') {
    return { message: `it did not answer within ${answerMs / 1000} s`, isRefusedConnection: false, isLost: false };
  }
  const last = causes.at(-1);
  return { message: last instanceof Error ? last.message : String(error), isRefusedConnection: false, isLost: true };
}
