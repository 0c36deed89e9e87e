/**
 * A subscriber in a process of its own: it keeps what it is told, and can be made to be down. Each hub has a place of
 * its own below the address, `/hub-name`, so that one process hears for many.
 */
import { createServer, type IncomingMessage } from 'node:http';

interface Heard {
  place: string;
  path: string;
  headers: IncomingMessage['headers'];
  text: string;
}

const heard: Heard[] = [];
const down = new Set<string>();

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

const server = createServer(async (request, response) => {
  const text = await textOf(request);
  // An observer listens where the contract has subscribers listen, and nowhere else.
  const [, place = '', ...rest] = (request.url ?? '/').split('/');
  if (place !== 'control') {
    if (down.has(place)) {
      response.writeHead(503).end();
      return;
    }
    if (place.startsWith('observer-') && rest[0] !== 'listener') {
      response.writeHead(404).end();
      return;
    }
    heard.push({ place, path: `/${rest.join('/')}`, headers: request.headers, text });
    response.writeHead(201, { 'Content-Type': 'application/json' }).end('{}');
    return;
  }
  const [verb, name = ''] = rest;
  if (verb === 'down') down.add(name);
  if (verb === 'up') down.delete(name);
  const answer = verb === 'heard' ? heard.filter((one) => one.place === name) : [];
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
});

server.listen(0, '0.0.0.0', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' && address !== null ? address.port : ''}\n`);
});
// Whoever started it holds its input: when that ends, so does it.
process.stdin.once('close', () => process.exit(0)).resume();
