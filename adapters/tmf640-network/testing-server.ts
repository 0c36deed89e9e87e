import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadValidators } from '../../generated/validators/index.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';

// A TMF640 server of somebody else, in a process of its own. It knows nothing of us but the contract: every request and
// every answer is checked against it, and a breach is told on standard output. What it keeps is what such a system keeps:
// services with their characteristics, and that a number and a profile serve one live service.
//
// node testing-server.ts <sync|async> <token>; POST /control plans what goes wrong.

const [mode = 'sync', token = ''] = process.argv.slice(2);
const base = '/tmf-api/ServiceActivationAndConfiguration/v4';
const { operations, schemas } = await loadValidators.TMF640();

interface Stored {
  document: JsonObject;
  version: number;
}
const services = new Map<string, Stored>();
const monitors = new Map<string, { document: JsonObject; endsAt: number; work: () => Answer }>();
const answersByKey = new Map<string, { hash: string; answer: Answer }>();
const control = {
  refuseNext: new Map<string, number>(),
  loseAnswers: 0,
  breakBefore: 0,
  delayMs: 30,
  stuck: false,
  date: '',
  overtakes: 0,
};

interface Answer {
  status: number;
  body?: JsonObject | JsonObject[];
  headers?: Record<string, string>;
}
const problem = (status: number, reason: string, message: string): Answer => ({
  status,
  body: { code: String(status), reason, message, status: String(status) },
});

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const characteristic = (document: JsonObject, name: string): Json | undefined =>
  Array.isArray(document.serviceCharacteristic)
    ? document.serviceCharacteristic.filter(isJsonObject).find((one) => one.name === name)?.value
    : undefined;

function conflictOf(document: JsonObject, id: string | undefined): string | undefined {
  if (document.state === 'terminated') return undefined;
  for (const [other, { document: theirs }] of services) {
    if (other === id || theirs.state === 'terminated') continue;
    for (const name of ['msisdn', 'iccid']) {
      if (characteristic(theirs, name) === characteristic(document, name)) return `${name} serves another service`;
    }
  }
  return undefined;
}

function write(id: string | undefined, body: JsonObject): Answer {
  const before = id === undefined ? undefined : services.get(id);
  if (id !== undefined && !before) return problem(404, 'notFound', 'no such service');
  const document: JsonObject = { ...before?.document, ...body };
  const planned = control.refuseNext.get(String(document.name));
  if (planned !== undefined) {
    control.refuseNext.delete(String(document.name));
    return problem(planned, planned === 409 ? 'busy' : 'notSupported', 'refused as planned');
  }
  if (before?.document.state === 'terminated') return problem(409, 'ended', 'the service has ended');
  const conflict = conflictOf(document, id);
  if (conflict) return problem(409, 'inUse', conflict);
  const ownId = id ?? randomUUID();
  const whole = {
    serviceDate: control.date || new Date().toISOString(),
    ...document,
    id: ownId,
    href: `http://127.0.0.1${base}/service/${ownId}`,
  };
  const version = (before?.version ?? 0) + 1;
  services.set(ownId, { document: whole, version });
  return {
    status: before ? 200 : 201,
    body: whole,
    headers: { etag: `"${version}"`, location: `${base}/service/${ownId}` },
  };
}

/** Another client was quicker: the service is as a much newer task has it. */
function overtake(stored: Stored): void {
  control.overtakes -= 1;
  const marks = {
    name: 'airtimeTask',
    value: { key: 'of another copy', sequence: 99, receivedAt: '2026-03-01T00:00:00Z' },
  };
  const others = Array.isArray(stored.document.serviceCharacteristic) ? stored.document.serviceCharacteristic : [];
  stored.document.serviceCharacteristic = [
    ...others.filter((one) => isJsonObject(one) && one.name !== 'airtimeTask'),
    marks,
  ];
  stored.version += 1;
}

/** Now, or later and followed by a monitor. */
function done(id: string | undefined, body: JsonObject): Answer {
  if (mode === 'sync') return write(id, body);
  const monitorId = randomUUID();
  const document: JsonObject = {
    id: monitorId,
    href: `http://127.0.0.1${base}/monitor/${monitorId}`,
    state: 'InProgress',
  };
  monitors.set(monitorId, { document, endsAt: Date.now() + control.delayMs, work: () => write(id, body) });
  return { status: 202, body: document, headers: { location: `${base}/monitor/${monitorId}` } };
}

function monitorOf(id: string): Answer {
  const found = monitors.get(id);
  if (!found) return problem(404, 'notFound', 'no such monitor');
  settle(found);
  return { status: 200, body: found.document };
}

function settle(found: { document: JsonObject; endsAt: number; work: () => Answer }): void {
  if (found.document.state !== 'InProgress' || Date.now() < found.endsAt || control.stuck) return;
  const answer = found.work();
  found.document.state = answer.status < 300 ? 'Completed' : 'InError';
  found.document.response = {
    statusCode: String(answer.status),
    body: JSON.stringify(answer.body),
    header: [{ name: 'Content-Type', value: 'application/json' }],
  };
}

function matches(document: JsonObject, path: readonly string[], wanted: string): boolean {
  const [head, ...rest] = path;
  const value = head === undefined ? document : document[head];
  const all = Array.isArray(value) ? value : [value];
  return all.some((one) =>
    rest.length > 0 ? isJsonObject(one) && matches(one, rest, wanted) : String(one) === wanted,
  );
}

function route(
  method: string,
  url: URL,
  headers: IncomingMessage['headers'],
  body: Json | undefined,
): [string, Answer] {
  const [collection = '', id] = url.pathname.slice(base.length + 1).split('/');
  if (collection === 'monitor' && id) return ['retrieveMonitor', monitorOf(id)];
  for (const found of monitors.values()) settle(found);
  if (collection !== 'service') return ['listService', problem(404, 'notFound', 'nothing here')];
  if (method === 'GET' && id === undefined) {
    const found = [...services.values()]
      .map(({ document }) => document)
      .filter((document) => [...url.searchParams].every(([name, value]) => matches(document, name.split('.'), value)));
    return ['listService', { status: 200, body: found }];
  }
  const stored = id === undefined ? undefined : services.get(id);
  if (method === 'GET')
    return [
      'retrieveService',
      stored
        ? { status: 200, body: stored.document, headers: { etag: `"${stored.version}"` } }
        : problem(404, 'notFound', 'no such service'),
    ];
  const name = method === 'POST' ? 'createService' : 'patchService';
  if (!isJsonObject(body)) return [name, problem(400, 'invalid', 'a body is an object')];
  const check = operations[name]?.request?.['application/json'];
  // A patch is judged by what it makes of the service.
  const whole = { ...stored?.document, ...body };
  if (!check?.(body) || !schemas.Service?.(whole)) {
    tell({ breach: `${name}: ${JSON.stringify(check?.errors ?? schemas.Service?.errors)}` });
    return [name, problem(400, 'invalid', 'the body does not keep the contract')];
  }
  if (method === 'PATCH') {
    if (stored && control.overtakes > 0) overtake(stored);
    if (headers['if-match'] !== undefined && stored && headers['if-match'] !== `"${stored.version}"`)
      return [name, problem(412, 'preconditionFailed', 'it has changed')];
    return [name, done(id, body)];
  }
  const key = headers['idempotency-key'];
  const hash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  const known = typeof key === 'string' ? answersByKey.get(key) : undefined;
  if (known && known.hash !== hash) return [name, problem(422, 'keyReused', 'this Idempotency-Key had another body')];
  if (known) return [name, known.answer];
  const answer = done(undefined, body);
  if (typeof key === 'string') answersByKey.set(key, { hash, answer });
  return [name, answer];
}

function isKept(operation: string, answer: Answer): boolean {
  // 202 to a PATCH is not in the contract; servers give it all the same.
  if (operation === 'patchService' && answer.status === 202) return schemas.Monitor?.(answer.body) === true;
  const checks = operations[operation]?.response;
  const check = checks?.[String(answer.status)] ?? checks?.default;
  return check?.(answer.body) === true;
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const body: Json | undefined = text === '' ? undefined : JSON.parse(text);
  if (url.pathname === '/control' && isJsonObject(body)) {
    const { refuse, ...rest } = body;
    if (isJsonObject(refuse)) control.refuseNext.set(String(refuse.name), Number(refuse.status));
    Object.assign(control, rest);
    response.end(JSON.stringify({ services: services.size, monitors: monitors.size }));
    return;
  }
  if (request.headers.authorization !== `Bearer ${token}`) {
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end(JSON.stringify(problem(401, 'unauthorised', 'no').body));
    return;
  }
  const isWrite = request.method !== 'GET';
  if (isWrite && control.breakBefore > 0) {
    control.breakBefore -= 1;
    return void request.socket.destroy();
  }
  const [operation, answer] = route(request.method ?? '', url, request.headers, body);
  if (!isKept(operation, answer))
    tell({ breach: `${operation} answered ${answer.status} ${JSON.stringify(answer.body)}` });
  if (isWrite && control.loseAnswers > 0) {
    control.loseAnswers -= 1;
    return void request.socket.destroy();
  }
  await sleep(1);
  response.writeHead(answer.status, { 'content-type': 'application/json;charset=utf-8', ...answer.headers });
  response.end(JSON.stringify(answer.body));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  tell({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});
process.stdin.on('end', () => process.exit(0)).resume();
