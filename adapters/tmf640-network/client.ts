import { OutcomeUnknown, RequestRefused } from '../outcome.ts';

/** One answer of the other side. */
export interface Answer {
  status: number;
  /** JSON; undefined when there was none. */
  body: unknown;
  location: string | undefined;
  etag: string | undefined;
}

export interface Ask {
  method: 'GET' | 'POST' | 'PATCH';
  /** Below the base, or a whole address of the same server. */
  path: string;
  body?: object;
  headers?: Record<string, string>;
  /** The task that it is for. */
  key?: string | undefined;
}

export type Client = (ask: Ask) => Promise<Answer>;

const bodyBytesMax = 1024 * 1024;

/**
 * Speaks HTTP with a TMF640 server. Silence, a broken connection and a server that is busy or broken leave the outcome
 * unknown; a server that does not know us refuses. The token goes to that server and to no other.
 */
export function clientOf(base: string, token: string | undefined, timeoutMs: number): Client {
  const root = new URL(`${base.replace(/\/+$/, '')}/`);
  return async ({ method, path, body, headers, key }) => {
    const url = /^https?:/.test(path)
      ? new URL(path)
      : path.startsWith('/')
        ? new URL(path, root.origin)
        : new URL(path, root);
    if (url.origin !== root.origin) throw new OutcomeUnknown('The network names an address of another server.', key);
    let answer: Answer;
    try {
      const response = await fetch(url, {
        method,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          accept: 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      answer = {
        status: response.status,
        body: await jsonOf(response),
        location: response.headers.get('location') ?? undefined,
        etag: response.headers.get('etag') ?? undefined,
      };
    } catch (error) {
      if (error instanceof OutcomeUnknown) throw error;
      throw new OutcomeUnknown(`The network gave no answer to ${method}.`, key, error);
    }
    if (answer.status === 401 || answer.status === 403)
      throw new RequestRefused('unauthorised', 'The network does not accept our token. Check AIRTIME_NETWORK_TOKEN.');
    if (answer.status >= 500 || answer.status === 408 || answer.status === 425 || answer.status === 429)
      throw new OutcomeUnknown(`The network answered ${answer.status} to ${method}.`, key);
    return answer;
  };
}

async function jsonOf(response: Response): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    // A refusal may come from something in between that writes pages; its status says enough.
    if (response.status >= 400) return undefined;
    throw error;
  }
}
