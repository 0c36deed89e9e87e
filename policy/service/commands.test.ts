import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../kernel/json.ts';
import { type AnyCommand, execute, type Policy } from '../core/command.ts';
import type { ResourceCommands, Stored } from '../core/resource.ts';
import {
  create,
  expectOnlyTableMoves,
  expectRule,
  given,
  patch,
  remove,
  stored,
  type TestPolicy,
  testOperator,
  testPolicy,
} from '../core/testing.ts';
import { runStatement } from '../core/transaction.ts';
import { serviceActivationCommands, serviceInventoryCommands } from './commands.ts';
import { serviceActivationResource, serviceInventoryResource } from './resource.ts';

let test: TestPolicy;
beforeAll(async () => {
  test = await testPolicy();
});
afterAll(() => test.close());

const body = (more: JsonObject = {}): JsonObject => ({
  state: 'reserved',
  serviceSpecification: { id: 'fibre', '@referredType': 'CustomerFacingServiceSpecification' },
  ...more,
});

function patchOf(commands: ResourceCommands): AnyCommand {
  if (!commands.patch) throw new Error('there is no patch');
  return commands.patch;
}

async function monitors(policy: Policy, serviceId: string): Promise<Stored[]> {
  return runStatement<Stored>(
    policy.pool,
    'SELECT "id", "document", "version" FROM "monitor" WHERE "service_id" = $1 ORDER BY "id"',
    [serviceId],
  );
}

describe.each([
  ['TMF638', serviceInventoryResource, serviceInventoryCommands],
  ['TMF640', serviceActivationResource, serviceActivationCommands],
] as const)('a service of its own, by %s', (api, resource, commands: ResourceCommands) => {
  it('is kept, switched and deleted', async () => {
    const made = await create(test.policy, commands, body());
    expect(made.document).toMatchObject({ '@type': 'Service', state: 'reserved', serviceDate: expect.any(String) });
    const active = await patch(test.policy, commands, made.id, { state: 'active' });
    expect(active.document).toMatchObject({ state: 'active', hasStarted: true, startDate: expect.any(String) });
    const ended = await patch(test.policy, commands, made.id, { state: 'terminated' });
    expect(ended.document).toMatchObject({ state: 'terminated', endDate: expect.any(String) });
    await remove(test.policy, commands, made.id);
    expect(await stored(test.policy, resource, made.id)).toBeUndefined();
    expect((await test.events(made.id)).map((event) => event.type)).toEqual([
      'ServiceCreateEvent',
      'ServiceStateChangeEvent',
      'ServiceStateChangeEvent',
      'ServiceDeleteEvent',
    ]);
    const watched = await monitors(test.policy, made.id);
    expect(watched.map((monitor) => monitor.document)).toMatchObject(
      api === 'TMF638'
        ? []
        : [
            { state: 'Completed', request: { method: 'POST' }, response: { statusCode: '201' } },
            {
              state: 'Completed',
              request: { method: 'PATCH', body: '{"state":"active"}' },
              response: { statusCode: '200' },
            },
            { state: 'Completed', request: { method: 'PATCH' }, response: { statusCode: '200' } },
            { state: 'Completed', request: { method: 'DELETE' }, response: { statusCode: '204' } },
          ],
    );
  });

  it('moves only along its states', async () => {
    await expectOnlyTableMoves(test.policy, resource, commands, 'state', body());
  });

  it('leaves no monitor of a task that was refused', async () => {
    const made = await given(test.policy, resource, body({ state: 'terminated' }));
    await expect(patch(test.policy, commands, made.id, { state: 'active' })).rejects.toMatchObject({
      code: 'service.legal_transition',
    });
    expect(await monitors(test.policy, made.id)).toEqual([]);
  });
});

describe.each([
  ['TMF638', serviceInventoryCommands],
  ['TMF640', serviceActivationCommands],
] as const)('the service of a line, by %s', (_, commands: ResourceCommands) => {
  const code = 'service.belongs_to_line';
  const ofLine = (more: JsonObject = {}) =>
    given(test.policy, serviceInventoryResource, body({ state: 'inactive', isServiceEnabled: false, ...more }), {
      subscriptionId: 'sub_1',
    });

  it('is not switched on by a client, by any of the ways there are', async () => {
    const changes: JsonObject[] = [
      { state: 'active' },
      { isServiceEnabled: true },
      { hasStarted: true },
      { serviceCharacteristic: [{ name: 'dataEnabled', value: true }] },
      { feature: [{ id: '1', name: 'data', isEnabled: true, featureCharacteristic: [{ name: 'x', value: 1 }] }] },
      { supportingResource: [] },
      {
        relatedParty: [
          { id: 'cus_2', role: 'customer', '@referredType': 'Customer', href: 'https://example.com/cus_2' },
        ],
      },
      { unblocked: true },
    ];
    for (const change of changes) {
      const service = await ofLine();
      await expect(patch(test.policy, commands, service.id, change)).rejects.toMatchObject({ code, status: 409 });
      expect(await stored(test.policy, serviceInventoryResource, service.id)).toEqual(service);
    }
    await expectRule(test, code, 409, async (policy) =>
      patch(policy, commands, (await ofLine()).id, { state: 'active' }),
    );
  });

  it('is not switched on by a JSON patch either', async () => {
    const service = await ofLine();
    const value = [{ op: 'replace', path: '/state', value: 'active' }];
    await expect(
      execute(test.policy, patchOf(commands), { id: service.id, patch: { kind: 'json', value } }, testOperator),
    ).rejects.toMatchObject({ code });
  });

  it('is not deleted by a client', async () => {
    await expectRule(test, code, 409, async (policy) => remove(policy, commands, (await ofLine()).id));
  });

  it('may be described', async () => {
    const service = await ofLine();
    const described = await patch(test.policy, commands, service.id, { description: 'The phone of the van' });
    expect(described.document).toMatchObject({ description: 'The phone of the van', state: 'inactive' });
  });
});
