import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { httpCallbacks } from '../adapters/callback.ts';
import { addressPolicy } from '../adapters/callback-address.ts';
import { type Api, resources } from '../generated/operations.ts';
import { loadValidators } from '../generated/validators/index.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { execute, transaction } from '../policy/core/command.ts';
import { lockResource, saveResource } from '../policy/core/resource.ts';
import { create, given, patch, remove, type TestPolicy, testOperator, testPolicy } from '../policy/core/testing.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { customerCommands } from '../policy/customer/commands.ts';
import { contractEvent } from '../policy/notification/contract-events.ts';
import { registerHub, unregisterHub } from '../policy/notification/hub.ts';
import { replayNotifications } from '../policy/notification/replay.ts';
import { hubSecret } from '../policy/notification/signature.ts';
import { serviceInventoryResource } from '../policy/service/resource.ts';
import { ticketCommands } from '../policy/ticket/commands.ts';
import { ticketResource } from '../policy/ticket/resource.ts';
import { usageSpecificationCommands } from '../policy/usage-specification/commands.ts';
import { listHubs, listParked } from '../read/views/notification.ts';
import { type Deliveries, type DeliveryLimits, listenerUrl, makeDeliveries } from './deliveries.ts';
import { makeRelay, type Relay } from './relay.ts';
import { checkSubscriptionQuery } from './subscription-query.ts';
import { eventually, type ListenerProcess, realClock, startListener } from './testing.ts';

const publicUrl = 'https://bss.example.com';
const signingSecret = 'a secret of the installation, for tests';
const quick: Partial<DeliveryLimits> = { pauseMsMin: 40, pauseMsMax: 200, leaseSeconds: 20 };

let house: TestPolicy;
let listener: ListenerProcess;
let relay: Relay;
let deliveries: Deliveries;
let warnings: string[];
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  house = await testPolicy();
  listener = await startListener();
  warnings = [];
  begin();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await listener.kill();
  await house.close();
});

const log = { warn: (fields: object, message: string) => void warnings.push(`${message} ${JSON.stringify(fields)}`) };

/** A relay that the test drives, and deliveries that run by themselves. */
function begin(limits: Partial<DeliveryLimits> = {}, batch?: number): void {
  const { policy } = house;
  const callbacks = httpCallbacks({ addresses: addressPolicy(['loopback']), timeoutMs: 8000 });
  const mine = makeDeliveries({
    policy,
    callbacks,
    clock: realClock,
    log,
    publicUrl,
    signingSecret,
    limits: { ...quick, ...limits },
  });
  deliveries = mine;
  relay = makeRelay({
    policy,
    clock: realClock,
    log,
    publicUrl,
    wakeDeliveries: mine.wake,
    ...(batch === undefined ? {} : { batch }),
  });
  deliveries.start();
  closing.push(async () => {
    await mine.stop();
    callbacks.close();
  });
}

const register = async (api: string, query?: string, path = '/events') => {
  const input = {
    api,
    callback: `http://127.0.0.1:${listener.port}${path}`,
    ...(query === undefined ? {} : { query }),
  };
  return (await execute(house.policy, registerHub, input, testOperator)).id;
};
/** Relays all there is. What runs in the databases of other tests holds the relay back too, so it is waited for. */
const drain = async (by: Relay = relay) => {
  const { pool } = house.policy;
  const [begun] = await runStatement<{ next: bigint }>(
    pool,
    'SELECT (pg_snapshot_xmax(pg_current_snapshot()))::text::bigint AS next',
    [],
  );
  await eventually(
    async () => {
      const [row] = await runStatement<{ oldest: bigint | null }>(
        pool,
        `SELECT min("backend_xid"::text::bigint) AS oldest FROM pg_stat_activity WHERE "datname" <> current_database()`,
        [],
      );
      return row?.oldest ?? null;
    },
    (oldest) => oldest === null || oldest >= (begun?.next ?? 0n),
  );
  while (await by.round());
};
const open = (name = 'Nothing loads') =>
  create(house.policy, ticketCommands, { name, description: 'x', severity: 'minor', ticketType: 'problem' });
const rename = (id: string, name: string) => patch(house.policy, ticketCommands, id, { name });

interface Told {
  eventId: string;
  eventType: string;
  resource: JsonObject;
}
function toldOf(body: string): Told {
  const parsed: unknown = JSON.parse(body);
  if (!isJsonObject(parsed) || !isJsonObject(parsed.event)) throw new Error(`no event: ${body}`);
  const [resource] = Object.values(parsed.event);
  if (!isJsonObject(resource)) throw new Error(`no resource: ${body}`);
  return { eventId: String(parsed.eventId), eventType: String(parsed.eventType), resource };
}
/** What arrived, in order: what was answered 2xx. */
const arrived = () => listener.received.filter(({ status }) => status < 300).map(({ body }) => toldOf(body));
const names = (id?: string) =>
  arrived()
    .filter(({ resource }) => id === undefined || resource.id === id)
    .map(({ resource }) => resource.name);
const count = async (table: 'delivery' | 'delivery_queue' | 'held_event' | 'event_replay') => {
  const [row] = await runStatement<{ n: bigint }>(house.policy.pool, `SELECT count(*) AS n FROM "${table}"`, []);
  return Number(row?.n);
};
const allDelivered = () =>
  eventually(
    () => count('delivery'),
    (n) => n === 0,
  );
const refusals = () => listener.received.filter(({ status }) => status >= 300);

test('a subscriber gets create, change, change of state and delete, each as its schema has it, signed', async () => {
  const hub = await register('TMF621');
  const { id } = await open();
  await rename(id, 'Still nothing loads');
  await patch(house.policy, ticketCommands, id, { status: 'inProgress' });
  await remove(house.policy, ticketCommands, (await open('Another')).id);
  await drain();
  await eventually(arrived, (all) => all.length === 5);
  expect(
    arrived()
      .filter(({ resource }) => resource.id === id)
      .map(({ eventType }) => eventType),
  ).toEqual(['TroubleTicketCreateEvent', 'TroubleTicketAttributeValueChangeEvent', 'TroubleTicketStatusChangeEvent']);
  expect(arrived().map(({ eventType }) => eventType)).toContain('TroubleTicketDeleteEvent');
  const { schemas } = await loadValidators.TMF621();
  for (const { path, headers, body } of listener.received) {
    const parsed = JSON.parse(body);
    const validate = schemas[parsed.eventType];
    expect([validate?.(parsed), validate?.errors]).toEqual([true, null]);
    expect(path).toBe('/events');
    expect(headers['content-type']).toBe('application/json');
    expect(headers['x-airtime-event']).toBe(parsed.eventType);
    const [, seconds = '', mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['x-airtime-signature'] ?? '') ?? [];
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(60);
    expect(createHmac('sha256', hubSecret(signingSecret, hub)).update(`${seconds}.${body}`).digest('hex')).toBe(mac);
    expect(parsed.event.troubleTicket.href).toBe(
      `${publicUrl}/tmf-api/troubleTicket/v4/troubleTicket/${parsed.event.troubleTicket.id}`,
    );
  }
  await eventually(
    () => count('delivery_queue'),
    (n) => n === 0,
  );
});

test('the events of every resource of every API fit their schemas', async () => {
  for (const { api, resource, events } of resources) {
    const validators = await loadValidators[api satisfies Api]();
    for (const { name } of events) {
      expect([name, contractEvent(api, resource, name)?.name]).toEqual([name, name]);
      expect([name, typeof validators.schemas[name]]).toEqual([name, 'function']);
    }
  }
  expect(contractEvent('TMF621', 'hub', 'HubCreateEvent')).toBeUndefined();
  expect(contractEvent('TMF621', 'troubleTicket', 'TroubleTicketNonsenseEvent')).toBeUndefined();
  expect(contractEvent('TMF622', 'troubleTicket', 'TroubleTicketCreateEvent')).toBeUndefined();
});

test('services are told to TMF638 and TMF640 alike, each with its own link; other APIs hear nothing', async () => {
  await Promise.all([register('TMF638', undefined, '/638'), register('TMF640', undefined, '/640'), register('TMF629')]);
  const { id } = await given(house.policy, serviceInventoryResource, {
    '@type': 'Service',
    state: 'active',
    serviceType: 'CFS',
  });
  await drain();
  await eventually(arrived, (all) => all.length === 2);
  await allDelivered();
  expect(listener.received.map(({ path, body }) => [path, toldOf(body).resource.href]).sort()).toEqual([
    ['/638', `${publicUrl}/tmf-api/serviceInventory/v4/service/${id}`],
    ['/640', `${publicUrl}/tmf-api/ServiceActivationAndConfiguration/v4/service/${id}`],
  ]);
  expect(new Set(arrived().map(({ eventId }) => eventId)).size).toBe(1);
});

test('a change of state is told as one of an attribute where the contract has no other', async () => {
  await register('TMF635');
  const body = { name: 'Data session', '@type': 'UsageSpecification', lifecycleStatus: 'active' };
  const { id } = await create(house.policy, usageSpecificationCommands, body);
  await patch(house.policy, usageSpecificationCommands, id, { lifecycleStatus: 'retired' });
  await drain();
  await eventually(arrived, (all) => all.length === 2);
  expect(arrived().map(({ eventType }) => eventType)).toEqual([
    'UsageSpecificationCreateEvent',
    'UsageSpecificationAttributeValueChangeEvent',
  ]);
});

test('a refused request gives nothing', async () => {
  await register('TMF621');
  const { id } = await open();
  await expect(patch(house.policy, ticketCommands, id, { status: 'closed' })).rejects.toMatchObject({ status: 409 });
  await expect(patch(house.policy, ticketCommands, id, { severity: 7 })).rejects.toMatchObject({ status: 400 });
  await expect(create(house.policy, ticketCommands, { name: 'No description' })).rejects.toMatchObject({ status: 400 });
  await rename(id, 'The last');
  await drain();
  await eventually(arrived, (all) => all.length >= 2);
  expect(names()).toEqual(['Nothing loads', 'The last']);
});

test.each([
  ['eventType=TroubleTicketCreateEvent', ['one', 'two', 'three']],
  ['eventType = TroubleTicketCreateEvent & event.troubleTicket.name = one', ['one']],
  ['troubleTicket.severity=critical', ['two', 'two again']],
  ['severity.ne=minor', ['two', 'two again']],
  ['name.regex=^t', ['two', 'two again', 'three']],
  ['eventType=TroubleTicketCreateEvent,TroubleTicketDeleteEvent&name=one,three', ['one', 'three']],
  ["filter=$[?(@.event.troubleTicket.severity == 'critical')]", ['two', 'two again']],
  ['creationDate.gt=2020-01-01T00:00:00Z&name=three', ['three']],
  ['nothing=here', []],
] as const)('a query of %s lets through what it names', async (query, expected) => {
  await register('TMF621', query);
  await register('TMF621', undefined, '/all');
  const body = { description: 'x', ticketType: 'problem', severity: 'minor' };
  await create(house.policy, ticketCommands, { ...body, name: 'one' });
  const two = await create(house.policy, ticketCommands, { ...body, name: 'two', severity: 'critical' });
  await rename(two.id, 'two again');
  await create(house.policy, ticketCommands, { ...body, name: 'three' });
  await drain();
  await allDelivered();
  const at = (path: string) =>
    listener.received.filter((one) => one.path === path).map(({ body: text }) => toldOf(text).resource.name);
  await eventually(
    () => at('/all'),
    (all) => all.length === 4,
  );
  expect(at('/events').sort()).toEqual([...expected].sort());
  expect(warnings).toEqual([]);
});

test('a query that cannot be understood is refused when it comes, and one that cannot be judged loses nothing', async () => {
  for (const query of ['nonsense', 'filter=$[?(', 'a.regex=(', 'expand=x']) {
    expect(() => checkSubscriptionQuery(query)).toThrow(/Query parameter/);
  }
  const hub = await register('TMF621');
  await transaction(house.policy, 'test.break', testOperator, {}, async (tx) => {
    await tx.sql`UPDATE "hub" SET "query" = 'nonsense' WHERE "id" = ${hub}`;
  });
  await open();
  await drain();
  await eventually(arrived, (all) => all.length === 1);
  expect(warnings.join()).toContain('could not be judged');
});

test('what happened before a hub was registered is not its affair', async () => {
  await open('before');
  await register('TMF621');
  await open('after');
  await drain();
  await eventually(arrived, (all) => all.length === 1);
  await allDelivered();
  expect(names()).toEqual(['after']);
});

test('a listener that was down gets everything once it is back, in order for each resource', async () => {
  await register('TMF621');
  const tickets = await Promise.all(['a', 'b', 'c'].map(open));
  await drain();
  await eventually(arrived, (all) => all.length === 3);
  // An answer that was lost on its way would bring the event again.
  await allDelivered();
  const { port } = listener;
  await listener.kill();
  for (let turn = 1; turn <= 4; turn += 1) {
    for (const { id } of tickets) await rename(id, `turn ${turn}`);
    await drain();
  }
  await eventually(
    () => warnings.join(),
    (all) => all.includes('ECONNREFUSED'),
  );
  listener = await startListener(port);
  await eventually(arrived, (all) => all.length >= 12);
  await allDelivered();
  for (const { id } of tickets) expect(names(id)).toEqual(['turn 1', 'turn 2', 'turn 3', 'turn 4']);
});

test('an event whose transaction commits late is not skipped', async () => {
  await register('TMF621');
  const late = await open('late 1');
  await drain();
  const gate = new Gate();
  const slow = change(late.id, 'late 2', { afterWrite: gate.wait });
  await gate.reached;
  await open('quick');
  await drain();
  // Nothing behind the running transaction is read yet.
  await eventually(arrived, (all) => all.length === 1);
  gate.open();
  await slow;
  await drain();
  await eventually(arrived, (all) => all.length === 3);
  expect(names(late.id)).toEqual(['late 1', 'late 2']);
  expect(names()).toContain('quick');
});

test('an event is held back while an earlier one of its resource cannot be read yet', async () => {
  await register('TMF621');
  const { id } = await open('1');
  const bystander = await open('bystander');
  await drain();
  await eventually(arrived, (all) => all.length === 2);
  // The oldest transaction writes last; the youngest writes first; one in between goes on running.
  const [first, between] = [new Gate(), new Gate()];
  const oldest = change(id, '3', { beforeLock: first.wait });
  await first.reached;
  const running = change(bystander.id, 'bystander 2', { beforeLock: between.wait });
  await between.reached;
  await change(id, '2');
  first.open();
  await oldest;
  await drain();
  expect(await count('held_event')).toBe(1);
  expect(await count('delivery')).toBe(0);
  between.open();
  await running;
  await drain();
  await eventually(arrived, (all) => all.length === 5);
  expect(names(id)).toEqual(['1', '2', '3']);
  expect(await count('held_event')).toBe(0);
});

test('whatever the order of commits and the size of batches, each resource is told in order, whole', async () => {
  await register('TMF621', undefined, '/one');
  await register('TMF621', 'name.regex=[02468]$', '/even');
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          ticket: fc.nat({ max: 2 }),
          early: fc.boolean(),
          holdMs: fc.nat({ max: 12 }),
          lateMs: fc.nat({ max: 12 }),
        }),
        {
          minLength: 6,
          maxLength: 14,
        },
      ),
      fc.integer({ min: 1, max: 3 }),
      async (writes, batch) => {
        const small = makeRelay({
          policy: house.policy,
          clock: realClock,
          log,
          publicUrl,
          wakeDeliveries: deliveries.wake,
          batch,
        });
        const from = listener.received.length;
        const tickets = await Promise.all([open('0'), open('0'), open('0')]);
        let writing = true;
        const relaying = (async () => {
          while (writing) if (!(await small.round())) await realClock.sleep(1);
        })();
        const pause = (ms: number) => () => realClock.sleep(ms);
        // Three at a time: the fourth connection is the relay's.
        const queue = [...writes];
        const worker = async () => {
          for (let next = queue.shift(); next; next = queue.shift()) {
            const { id } = tickets[next.ticket] ?? { id: '' };
            await change(id, undefined, {
              ...(next.early ? { beforeLock: pause(next.holdMs) } : {}),
              afterWrite: pause(next.lateMs),
            });
          }
        };
        await Promise.all([worker(), worker(), worker()]);
        writing = false;
        await relaying;
        await drain(small);
        await allDelivered();
        for (const [index, { id }] of tickets.entries()) {
          const expected = ['0', ...writes.filter(({ ticket }) => ticket === index).map((_, turn) => `${turn + 1}`)];
          const toldAt = (path: string) =>
            listener.received
              .slice(from)
              .filter((one) => one.path === path && toldOf(one.body).resource.id === id)
              .map(({ body }) => toldOf(body).resource.name);
          await eventually(
            () => toldAt('/one').length,
            (n) => n >= expected.length,
          );
          expect(toldAt('/one')).toEqual(expected);
          expect(toldAt('/even')).toEqual(expected.filter((name) => Number(name) % 2 === 0));
        }
        expect(await count('held_event')).toBe(0);
      },
    ),
    { numRuns: 15 },
  );
}, 120_000);

test('nothing is sent to a hub that was unregistered, not even what it was owed', async () => {
  const hub = await register('TMF621');
  const { id } = await open();
  await listener.answer(500);
  await drain();
  await eventually(refusals, (all) => all.length > 0);
  await rename(id, 'owed');
  await drain();
  await execute(house.policy, unregisterHub, { api: 'TMF621', id: hub }, testOperator);
  expect([await count('delivery'), await count('delivery_queue')]).toEqual([0, 0]);
  await realClock.sleep(100);
  const before = listener.received.length;
  await listener.answer(201);
  await rename(id, 'too late');
  await drain();
  await realClock.sleep(400);
  expect(listener.received.length).toBe(before);
});

test('a resource whose event is refused waits, is parked and shown, and goes on in order when the operator says so', async () => {
  for (const close of closing.splice(0).reverse()) await close();
  begin({ attemptsMax: 3 });
  const hub = await register('TMF621', 'name.ne=healthy');
  await register('TMF621', 'name=healthy', '/healthy');
  await listener.answer(422);
  const { id } = await open('sick 1');
  await rename(id, 'sick 2');
  await drain();
  await eventually(refusals, (all) => all.length === 3);
  const parked = await eventually(
    () => listParked.run(house.policy.pool, listParked.input.parse({}), testOperator),
    ({ total }) => total === 1,
  );
  expect(parked.items).toMatchObject([{ hub, resourceType: 'troubleTicket', resourceId: id, waiting: 2, attempts: 3 }]);
  expect(parked.items[0]?.lastError).toContain('422');
  // Only the first was ever tried, and others are not held up.
  expect(new Set(refusals().map(({ body }) => toldOf(body).resource.name))).toEqual(new Set(['sick 1']));
  await listener.answer(201);
  await open('healthy');
  await rename(id, 'sick 3');
  await drain();
  await eventually(arrived, (all) => all.length === 1);
  await realClock.sleep(300);
  expect(names()).toEqual(['healthy']);
  const [listed] = (await listHubs.run(house.policy.pool, listHubs.input.parse({}), testOperator)).items;
  expect(listed).toMatchObject({ id: hub, condition: 'well', waiting: 3, parkedResources: 1 });
  const { resumed } = await execute(house.policy, replayNotifications, {}, testOperator);
  expect(resumed).toBe(1);
  await eventually(
    () => names(id),
    (all) => all.length === 3,
  );
  expect(names(id)).toEqual(['sick 1', 'sick 2', 'sick 3']);
  await allDelivered();
});

test('a hub that nobody answers at is tried with one event, parked whole, and resumed by the operator', async () => {
  for (const close of closing.splice(0).reverse()) await close();
  begin({ attemptsMax: 3, perHub: 4, pauseMsMin: 150 });
  const hub = await register('TMF621');
  const other = await startListener();
  await execute(
    house.policy,
    registerHub,
    { api: 'TMF621', callback: `http://127.0.0.1:${other.port}/` },
    testOperator,
  );
  const { port } = listener;
  await listener.kill();
  for (let index = 0; index < 20; index += 1) await open(`${index}`);
  await drain();
  await eventually(
    () => other.received.length,
    (n) => n === 20,
  );
  await eventually(
    () => listParked.run(house.policy.pool, listParked.input.parse({ hub }), testOperator),
    ({ items }) => items.length === 1 && items[0]?.resourceType === null && items[0].waiting === 20,
  );
  // The first failure came to several at once; from then on one event probes.
  expect(warnings.filter((line) => line.includes('did not arrive')).length).toBeLessThan(12);
  listener = await startListener(port);
  await realClock.sleep(300);
  expect(listener.received).toEqual([]);
  await execute(house.policy, replayNotifications, { hub }, testOperator);
  await eventually(
    () => listener.received.length,
    (n) => n === 20,
  );
  await allDelivered();
  await other.kill();
});

test('a range of the past is sent again, in order, to the hub that asks', async () => {
  const hub = await register('TMF621', 'eventType=TroubleTicketCreateEvent,TroubleTicketAttributeValueChangeEvent');
  await register('TMF621', undefined, '/other');
  const start = new Date();
  const { id } = await open('1');
  for (const name of ['2', '3', '4', '5']) await rename(id, name);
  await drain();
  await allDelivered();
  const before = arrived().length;
  const past = { hub, from: new Date(start.getTime() - 1000).toISOString() };
  await expect(execute(house.policy, replayNotifications, { from: past.from }, testOperator)).rejects.toThrow(
    /name it/,
  );
  await expect(execute(house.policy, replayNotifications, { hub: 'hub_x' }, testOperator)).rejects.toMatchObject({
    status: 404,
  });
  await execute(house.policy, replayNotifications, past, testOperator);
  await rename(id, '6');
  await drain();
  await eventually(
    () => arrived().length,
    (n) => n >= before + 7,
  );
  await allDelivered();
  const again = listener.received.slice(before).filter(({ path }) => path === '/events');
  expect(again.map(({ body }) => toldOf(body).resource.name)).toEqual(['1', '2', '3', '4', '5', '6']);
  expect(await count('event_replay')).toBe(0);
  // Outside the range there is nothing.
  const done = listener.received.length;
  await execute(house.policy, replayNotifications, { ...past, to: past.from }, testOperator);
  await drain();
  await realClock.sleep(200);
  expect(listener.received.length).toBe(done);
});

test('a subscriber with a path for each event is found there', async () => {
  expect(listenerUrl('https://a.example', 'xEvent')).toBe('https://a.example/listener/xEvent');
  expect(listenerUrl('https://a.example/api/v4/?k=1', 'xEvent')).toBe('https://a.example/api/v4/listener/xEvent?k=1');
  expect(listenerUrl('https://a.example/listener/', 'xEvent')).toBe('https://a.example/listener/xEvent');
  await register('TMF621', undefined, '/status/404');
  const { id } = await open('1');
  await rename(id, '2');
  await drain();
  await eventually(arrived, (all) => all.length === 2);
  expect(listener.received.map(({ path }) => path)).toEqual([
    '/status/404',
    '/status/404/listener/troubleTicketCreateEvent',
    '/status/404/listener/troubleTicketAttributeValueChangeEvent',
  ]);
});

test('a redirect is not followed', async () => {
  await register('TMF621', undefined, '/status/302');
  await open();
  await drain();
  await eventually(refusals, (all) => all.length >= 2);
  expect(listener.received.map(({ path }) => path).filter((path) => path !== '/status/302')).toEqual([]);
});

test('two relays at once write each delivery once', async () => {
  await register('TMF621');
  const second = makeRelay({
    policy: house.policy,
    clock: realClock,
    log,
    publicUrl,
    wakeDeliveries: deliveries.wake,
    batch: 3,
  });
  for (let index = 0; index < 30; index += 1) await open(`${index}`);
  for (let round = 0; round < 40; round += 1) await Promise.all([relay.round(), second.round()]);
  await drain();
  await allDelivered();
  await eventually(
    () => new Set(names()).size,
    (n) => n === 30,
  );
  expect(names()).toHaveLength(30);
});

test('after a restore into another cluster the relay goes on, losing nothing', async () => {
  await register('TMF629');
  const customer = (name: string) => ({ name, engagedParty: { id: 'p1', '@referredType': 'Individual' } });
  await create(house.policy, customerCommands, customer('relayed'));
  await drain();
  await eventually(arrived, (all) => all.length === 1);
  await create(house.policy, customerCommands, customer('owed'));
  // As if copied from a cluster that had counted a billion transactions more.
  const admin = house.policy.pool;
  await runStatement(admin, `SELECT begin_command('test.restore', '{}'::jsonb)`, []);
  await transaction(house.policy, 'test.restore', testOperator, {}, async (tx) => {
    await tx.sql`UPDATE "relay_cursor" SET "transaction_id" = "transaction_id" + 1000000000`;
    await tx.sql`UPDATE "hub" SET "registered_snapshot" = '1000000000:1000000000:'`;
    // The event table is never changed, so the owed one is written again as the copy would hold it.
    await tx.sql`INSERT INTO "event" ("id", "transaction_id", "type", "resource_type", "resource_id", "resource_sequence", "resource", "command", "caller", "occurred_at", "recorded_at")
      SELECT 'evt_copied', "transaction_id" + 2000000000, "type", "resource_type", 'cus_copied', 1, "resource" || '{"id": "cus_copied", "name": "copied"}', "command", "caller", "occurred_at", "recorded_at"
      FROM "event" WHERE "resource" ->> 'name' = 'owed'`;
  });
  await drain();
  await eventually(arrived, (all) => all.length >= 2);
  await create(house.policy, customerCommands, customer('new'));
  await drain();
  await eventually(arrived, (all) => all.some(({ resource }) => resource.name === 'new'));
  await allDelivered();
  expect(names()).toContain('copied');
  expect(names().filter((name) => name === 'relayed')).toHaveLength(1);
  expect(warnings.join()).toContain('restored from a copy');
});

test('an idle house asks little and holds no connection of its own', async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await register('TMF621');
  begin();
  relay.start();
  closing.push(() => relay.stop());
  await realClock.sleep(300);
  let asked = 0;
  house.policy.pool.on('acquire', () => {
    asked += 1;
  });
  await realClock.sleep(2000);
  expect(asked).toBeGreaterThan(4);
  expect(asked).toBeLessThanOrEqual(2 * (4 + 2) + 2);
  expect(house.policy.pool.totalCount - house.policy.pool.idleCount).toBeLessThanOrEqual(1);
});

/** Where a transaction of a test waits until the test lets it go on. */
class Gate {
  readonly reached: Promise<void>;
  readonly wait: () => Promise<void>;
  open: () => void = () => undefined;
  constructor() {
    const opened = new Promise<void>((resolve) => {
      this.open = resolve;
    });
    let arrive: () => void = () => undefined;
    this.reached = new Promise((resolve) => {
      arrive = resolve;
    });
    this.wait = () => {
      arrive();
      return opened;
    };
  }
}

/** Changes a ticket's name, to the next number when none is given, waiting where the test wants it. */
function change(
  id: string,
  name?: string,
  pauses: { beforeLock?: () => Promise<void>; afterWrite?: () => Promise<void> } = {},
) {
  return transaction(house.policy, 'test.change', testOperator, {}, async (tx) => {
    if (pauses.beforeLock) {
      // The transaction has its id from here on, and locks the ticket only later.
      await tx.sql`SELECT pg_current_xact_id()`;
      await pauses.beforeLock();
    }
    const before = await lockResource(tx, ticketResource, id);
    await saveResource(tx, ticketResource, before, {
      ...before.document,
      name: name ?? String(Number(before.document.name) + 1),
    });
    await pauses.afterWrite?.();
  });
}
