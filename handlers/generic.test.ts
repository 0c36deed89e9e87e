import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { apis, type Operation, operations } from '../generated/operations.ts';
import { Refusal } from '../kernel/error.ts';
import { command } from '../policy/core/command.ts';
import { rule } from '../policy/core/rule.ts';
import { type TestPolicy, testOperator, testPolicy } from '../policy/core/testing.ts';
import { create, missingCommands } from './generic.ts';
import { createHandlers } from './index.ts';
import type { Wire, WireRequest } from './wire.ts';

let given: TestPolicy;
let wire: Wire;
beforeAll(async () => {
  given = await testPolicy();
  wire = { policy: given.policy, pool: given.policy.pool, publicUrl: 'https://bss.example.com', wake: () => undefined };
});
afterAll(() => given.close());

function requestFor(api: string, operationId: string, more: Partial<WireRequest> = {}): WireRequest {
  const operation = operations.find((one: Operation) => one.api === api && one.operationId === operationId);
  if (!operation) throw new Error(`${api} has no ${operationId}`);
  return {
    operation,
    id: undefined,
    search: '',
    body: {},
    mediaType: 'application/json',
    ifMatch: undefined,
    caller: testOperator,
    ...more,
  };
}

const answering = (output: object) =>
  command({
    name: 'service.create',
    summary: 'Create a service',
    input: z.object({ document: z.record(z.string(), z.unknown()) }),
    audience: ['operator'],
    effect: 'write',
    rules: [
      rule<{ state: unknown }>({ code: 'service.kept', sentence: 'It is kept.', kept: ({ state }) => state !== 'bad' }),
    ],
    facts: async (_tx, input) => ({ state: input.document.state }),
    apply: async () => output,
    keepRefused: async (_tx, _facts, _input, refusal) => ({ ...output, document: { id: 'svc_1', note: refusal.code } }),
  });

const service = { id: 'svc_1', document: { id: 'svc_1', href: 'elsewhere', state: 'active' }, version: 1n };

test('every served operation of every API has a handler', () => {
  const handlers = createHandlers({});
  for (const { api } of apis) {
    const served = operations.filter((one) => one.api === api && one.served).map((one) => one.operationId);
    expect(Object.keys(handlers[api]).sort()).toEqual([...served].sort());
  }
});

test('a creation is 201 with its link in place of any that was stored', async () => {
  const handler = create('TMF640', 'service', { service: { create: answering(service) } });
  const place = 'airtime:/tmf-api/ServiceActivationAndConfiguration/v4/service/svc_1';
  expect(await handler(wire, requestFor('TMF640', 'createService'))).toEqual({
    status: 201,
    body: { id: 'svc_1', href: place, state: 'active' },
    version: 1n,
    location: place,
  });
});

test('work that goes on is 202 with its monitor', async () => {
  const monitor = { id: 'mon_1', document: { id: 'mon_1', state: 'InProgress' } };
  const handler = create('TMF640', 'service', { service: { create: answering({ ...service, monitor }) } });
  const place = 'airtime:/tmf-api/ServiceActivationAndConfiguration/v4/monitor/mon_1';
  expect(await handler(wire, requestFor('TMF640', 'createService'))).toEqual({
    status: 202,
    body: { id: 'mon_1', href: place, state: 'InProgress' },
    location: place,
  });
});

test('what a rule refuses is kept with its reason where the command knows how', async () => {
  const handler = create('TMF638', 'service', { service: { create: answering(service) } });
  const answer = await handler(wire, requestFor('TMF638', 'createService', { body: { state: 'bad' } }));
  expect(answer).toMatchObject({ status: 201, body: { note: 'service.kept' } });
  const { keepRefused: _, ...strict } = answering(service);
  const refusing = create('TMF638', 'service', { service: { create: strict } });
  await expect(
    refusing(wire, requestFor('TMF638', 'createService', { body: { state: 'bad' } })),
  ).rejects.toBeInstanceOf(Refusal);
});

test('an operation without a command is named, and answered 501', async () => {
  expect(missingCommands({})).toContain('TMF641.patchServiceOrder');
  expect(missingCommands({ service: { create: answering(service) } })).not.toContain('TMF638.createService');
  const patching = createHandlers({}).TMF638.patchService;
  await expect(async () =>
    patching?.(wire, requestFor('TMF638', 'patchService', { id: 'svc_1' })),
  ).rejects.toMatchObject({ status: 501 });
});
