import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

// A subscriber for tests. It tells each request it gets on its standard output, and is told on its standard input how to
// answer: {"status": 500, "delayMs": 100}.

let status = 201;
let delayMs = 0;
const tell = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts).toString('utf8');
    // A path that names a status is always answered with it: /status/404.
    const answered = Number(/^\/status\/(\d{3})$/.exec(request.url ?? '')?.[1] ?? status);
    setTimeout(() => {
      tell({ path: request.url, headers: request.headers, body, status: answered });
      if (answered >= 300 && answered < 400) response.setHeader('Location', '/redirected');
      response.writeHead(answered).end('{}');
    }, delayMs);
  });
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') tell({ port: address.port });
});

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const wanted: unknown = JSON.parse(line);
    if (typeof wanted !== 'object' || wanted === null) return;
    if ('status' in wanted && typeof wanted.status === 'number') status = wanted.status;
    if ('delayMs' in wanted && typeof wanted.delayMs === 'number') delayMs = wanted.delayMs;
    tell({ heard: true });
  })
  .on('close', () => process.exit(0));
