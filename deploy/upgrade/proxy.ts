import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { answers } from '../processes.ts';

/** A proxy on loopback in front of several servers, as small as one can be that fails over by what /ready says. */
export interface Proxy {
  readonly url: string;
  /** Requests that each server answered through it. */
  readonly served: ReadonlyMap<string, number>;
  add(url: string): void;
  remove(url: string): void;
  /** Which of them take requests now. */
  ready(): string[];
  close(): Promise<void>;
}

const lookMs = 200;

export async function openProxy(): Promise<Proxy> {
  const backends = new Map<string, boolean>();
  const served = new Map<string, number>();
  const agent = new Agent({ keepAlive: true });
  let turn = 0;

  const ready = (): string[] => [...backends].filter(([, isReady]) => isReady).map(([url]) => url);
  const look = async (): Promise<void> => {
    await Promise.all(
      [...backends.keys()].map(async (url) => {
        const isReady = await answers(`${url}/ready`);
        if (backends.has(url)) backends.set(url, isReady);
      }),
    );
  };
  const timer = setInterval(() => void look(), lookMs);

  function refuse(response: ServerResponse, why: string): void {
    if (response.headersSent) response.destroy();
    else response.writeHead(502, { 'content-type': 'text/plain' }).end(`proxy: ${why}`);
  }

  function pass(incoming: IncomingMessage, body: Buffer, response: ServerResponse, tried: readonly string[]): void {
    const choice = ready().filter((url) => !tried.includes(url));
    turn += 1;
    const url = choice[turn % Math.max(1, choice.length)];
    if (url === undefined) {
      refuse(response, 'no server is ready');
      return;
    }
    const { hostname, port } = new URL(url);
    const headers = { ...incoming.headers, 'x-forwarded-for': incoming.socket.remoteAddress ?? '' };
    const onward = request({ hostname, port, agent, method: incoming.method, path: incoming.url, headers });
    onward.once('response', (answer) => {
      served.set(url, (served.get(url) ?? 0) + 1);
      const { connection: _connection, ...rest } = answer.headers;
      response.writeHead(answer.statusCode ?? 502, rest);
      answer.pipe(response);
      answer.once('error', () => response.destroy());
    });
    onward.once('error', (error: NodeJS.ErrnoException) => {
      // Where nobody listened nothing was sent, so another may be asked. Anything else may have had its effect: it is not
      // sent twice behind the back of its caller.
      if (error.code === 'ECONNREFUSED' && !response.headersSent) pass(incoming, body, response, [...tried, url]);
      else refuse(response, `${url} ${error.code ?? error.message}`);
    });
    onward.end(body);
  }

  const server = createServer((incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => pass(incoming, Buffer.concat(parts), response, []));
  });
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    served,
    ready,
    add: (url) => void backends.set(url, false),
    remove: (url) => void backends.delete(url),
    close: () =>
      new Promise((resolve) => {
        clearInterval(timer);
        agent.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
