import { createServer, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { operations } from '../generated/operations.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';

/** A request on its way to the server, as a fault may change it. */
export interface Passing {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface Returning {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** One defect, planted between a client and a server that has none. */
export interface Fault {
  readonly name: string;
  /** Why an API cannot show it; undefined where it can. */
  spares(api: string): string | undefined;
  /** Changes the request, or answers it in the server’s place. */
  going?(request: Passing): Returning | undefined;
  coming?(request: Passing, answer: Returning): void;
  /** Whether a notification is dropped. */
  loses?(text: string): boolean;
  /** Only events can show it. */
  readonly inEvents?: boolean;
}

const directives = ['offset', 'limit', 'sort', 'fields'];

function withSearch(path: string, keep: (name: string, value: string) => string | undefined): string {
  const [place = '', search = ''] = path.split('?');
  const parts = search.split('&').flatMap((part) => {
    const cut = part.indexOf('=');
    const kept = cut < 0 ? undefined : keep(part.slice(0, cut), part.slice(cut + 1));
    return kept === undefined ? [] : [`${part.slice(0, cut)}=${kept}`];
  });
  return parts.length === 0 ? place : `${place}?${parts.join('&')}`;
}

const everywhere = (): undefined => undefined;
const has = (api: string, kinds: readonly string[]): boolean =>
  operations.some((one) => one.api === api && one.served && kinds.includes(one.kind));
const needs = (kinds: readonly string[], why: string) => (api: string) => (has(api, kinds) ? undefined : why);

function parsed(text: string): JsonObject {
  try {
    const body: Json = JSON.parse(text);
    return isJsonObject(body) ? body : {};
  } catch {
    return {};
  }
}

const isRead = (request: Passing): boolean => request.method === 'GET' || request.method === 'HEAD';
const json = { 'content-type': 'application/json;charset=utf-8' };

export const faults: readonly Fault[] = [
  {
    name: 'filters ignored',
    spares: everywhere,
    going: (request) => {
      if (isRead(request))
        request.path = withSearch(request.path, (name, value) => (directives.includes(name) ? value : undefined));
      return undefined;
    },
  },
  {
    name: 'fields ignored',
    spares: everywhere,
    going: (request) => {
      if (isRead(request))
        request.path = withSearch(request.path, (name, value) => (name === 'fields' ? undefined : value));
      return undefined;
    },
  },
  {
    name: 'PATCH dropped',
    spares: needs(['patch'], 'no resource of it has a PATCH'),
    going: (request) => {
      if (request.method !== 'PATCH') return undefined;
      const { 'content-type': _, 'content-length': __, 'if-match': ___, ...headers } = request.headers;
      Object.assign(request, { method: 'GET', headers, text: '' });
      return undefined;
    },
  },
  {
    name: 'DELETE dropped',
    spares: everywhere,
    going: (request) => (request.method === 'DELETE' ? { status: 204, headers: {}, text: '' } : undefined),
  },
  {
    name: 'validation off',
    spares: everywhere,
    coming: (request, answer) => {
      if (answer.status !== 400) return;
      const body = {
        id: 'accepted-unseen',
        href: `https://bss.example.com${request.path}/accepted-unseen`,
        ...parsed(request.text),
      };
      answer.status = request.method === 'POST' ? 201 : 200;
      answer.headers = { ...json, location: body.href };
      answer.text = isRead(request) ? '[]' : JSON.stringify(body);
    },
  },
  {
    name: 'wrong href',
    spares: everywhere,
    coming: (_, answer) => {
      answer.text = answer.text.replace(/("href":\s*"https:\/\/bss\.example\.com\/[^"]*)"/g, '$1-wrong"');
    },
  },
  {
    name: 'event lost',
    spares: everywhere,
    inEvents: true,
    loses: (text) => /CreateEvent$/.test(String(parsed(text).eventType)),
  },
  {
    name: 'total count wrong',
    spares: everywhere,
    coming: (_, answer) => {
      const total = answer.headers['x-total-count'];
      if (typeof total === 'string') answer.headers['x-total-count'] = String(Number(total) + 1);
    },
  },
  {
    name: 'page overlap',
    spares: everywhere,
    going: (request) => {
      if (isRead(request))
        request.path = withSearch(request.path, (name, value) =>
          name === 'offset' && Number(value) > 0 ? String(Number(value) - 1) : value,
        );
      return undefined;
    },
  },
  {
    name: 'ETag ignored',
    spares: needs(['patch', 'delete'], 'no resource of it can be changed or deleted'),
    going: (request) => {
      delete request.headers['if-match'];
      return undefined;
    },
  },
];

export interface FaultyProxy {
  readonly url: string;
  /** Plants a fault in place of the one before; none for an honest proxy. */
  plant(fault: Fault | undefined): void;
  stop(): void;
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function sent(origin: URL, { method, path, headers, text }: Passing): Promise<Returning> {
  const { 'transfer-encoding': _, connection: __, ...rest } = headers;
  const length = text === '' ? {} : { 'content-length': String(Buffer.byteLength(text)) };
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { hostname: origin.hostname, port: origin.port, method, path, headers: { ...rest, ...length } },
      async (response) =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: await textOf(response) }),
    );
    request.once('error', reject);
    request.end(text);
  });
}

const callbackMark = '/faulty-callback/';

/**
 * A proxy in front of a server that plants one fault at a time. Hubs are registered through it too, so that it stands
 * between the server and its listeners as well.
 */
export async function startFaultyProxy(serverUrl: string): Promise<FaultyProxy> {
  const server = new URL(serverUrl);
  let fault: Fault | undefined;
  let url = '';

  async function notification(request: Passing): Promise<Returning> {
    if (fault?.loses?.(request.text)) return { status: 201, headers: {}, text: '' };
    const [origin = '', ...rest] = request.path.slice(callbackMark.length).split('/');
    const { host: _, ...headers } = request.headers;
    return sent(new URL(Buffer.from(origin, 'base64url').toString()), {
      ...request,
      path: `/${rest.join('/')}`,
      headers,
    });
  }

  function throughHere(text: string): string {
    const body = parsed(text);
    if (typeof body.callback !== 'string' || !body.callback.startsWith('http://127.0.0.')) return text;
    const { origin, pathname, hostname } = new URL(body.callback);
    // A private address stays what it is, because the server is to refuse it.
    if (hostname !== '127.0.0.1') return text;
    return JSON.stringify({
      ...body,
      callback: `${url}${callbackMark}${Buffer.from(origin).toString('base64url')}${pathname}`,
    });
  }

  function asItWas(text: string): string {
    return text.replace(
      /"http:\/\/127\.0\.0\.1:\d+\/faulty-callback\/([\w-]+)/g,
      (_, origin: string) => `"${Buffer.from(origin, 'base64url').toString()}`,
    );
  }

  const proxy = createServer({ maxHeaderSize: 128 * 1024 }, async (incoming, response) => {
    const request: Passing = {
      method: incoming.method ?? 'GET',
      path: incoming.url ?? '/',
      headers: { ...incoming.headers },
      text: await textOf(incoming),
    };
    try {
      const isHub = request.method === 'POST' && /\/hub\/?$/i.test(request.path);
      let answer: Returning;
      if (request.path.startsWith(callbackMark)) answer = await notification(request);
      else {
        if (isHub) request.text = throughHere(request.text);
        answer = fault?.going?.(request) ?? (await sent(server, request));
        fault?.coming?.(request, answer);
        if (isHub) answer.text = asItWas(answer.text);
      }
      const {
        'content-length': length,
        connection: _,
        'keep-alive': __,
        'transfer-encoding': ___,
        ...headers
      } = answer.headers;
      const isHead = incoming.method === 'HEAD';
      const ownLength =
        answer.status === 204
          ? {}
          : { 'content-length': isHead ? (length ?? '0') : String(Buffer.byteLength(answer.text)) };
      response.writeHead(answer.status, { ...headers, ...ownLength }).end(isHead ? undefined : answer.text);
    } catch {
      response.writeHead(502).end();
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no address');
  url = `http://127.0.0.1:${address.port}`;
  return {
    url,
    plant: (next) => {
      fault = next;
    },
    stop: () => {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}
