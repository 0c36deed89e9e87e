import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';

/**
 * What `haproxy-servers.cfg` says, for a machine without HAProxy: copies are asked whether they are ready, a refused
 * connection goes to another, and what was sent is never sent again. Made for the proof, not for production.
 */
const [port = '0', ...targets] = process.argv.slice(2);
const everyMs = 500;
const askMs = 2000;
const failuresMax = 2;

interface Target {
  readonly url: URL;
  failures: number;
}

const copies: Target[] = targets.map((url) => ({ url: new URL(url), failures: failuresMax }));
let turn = 0;

async function look(copy: Target): Promise<void> {
  try {
    const { ok } = await fetch(new URL('/ready', copy.url), { signal: AbortSignal.timeout(askMs) });
    copy.failures = ok ? 0 : copy.failures + 1;
  } catch {
    copy.failures += 1;
  }
}

function answerAway(outgoing: ServerResponse, status: 502 | 503): void {
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  const message = status === 503 ? 'No server can work at the moment.' : 'The server went away before it answered.';
  outgoing.writeHead(status, { 'Content-Type': 'application/json', ...(status === 503 ? { 'Retry-After': '1' } : {}) });
  outgoing.end(JSON.stringify({ '@type': 'Error', code: String(status), reason: 'unavailable', message }));
}

/** Tries the copies that are ready, in turn. Once a connection stands, its fate is that of the request. */
function forward(incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse, left: Target[]): void {
  const [copy, ...rest] = left;
  if (!copy) {
    answerAway(outgoing, 503);
    return;
  }
  let isConnected = false;
  const sent = request(
    new URL(incoming.url ?? '/', copy.url),
    {
      method: incoming.method,
      headers: {
        ...incoming.headers,
        connection: 'close',
        'x-forwarded-for': incoming.socket.remoteAddress ?? '',
      },
      agent: false,
    },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      answer.once('error', () => outgoing.destroy());
    },
  );
  sent.once('socket', (socket) =>
    socket.once('connect', () => {
      isConnected = true;
    }),
  );
  sent.once('error', () => {
    if (isConnected) answerAway(outgoing, 502);
    else forward(incoming, body, outgoing, rest);
  });
  sent.end(body);
}

setInterval(() => {
  for (const copy of copies) void look(copy);
}, everyMs);

createServer((incoming, outgoing) => {
  const parts: Buffer[] = [];
  incoming.on('data', (part: Buffer) => parts.push(part));
  incoming.on('end', () => {
    turn += 1;
    const ready = copies.filter(({ failures }) => failures < failuresMax);
    const from = ready.length === 0 ? 0 : turn % ready.length;
    forward(incoming, Buffer.concat(parts), outgoing, [...ready.slice(from), ...ready.slice(0, from)]);
  });
}).listen(Number(port), '127.0.0.1');
