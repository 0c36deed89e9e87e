import { expect, it } from 'vitest';
import { onlyHandlers, testDoor } from './testing.ts';

const catalog = '/tmf-api/productCatalogManagement/v4/catalog';

it('says that it is not ready while it still serves, so that a proxy has found another before it is gone', async () => {
  const door = await testDoor({
    handlers: onlyHandlers({ TMF620: { listCatalog: async () => ({ status: 200, body: [] }) } }),
  });
  const began = performance.now();
  const closed = door.server.close(5000, 2500);
  const asked = () => fetch(`${door.url}/ready`);
  const told = await asked();
  expect([told.status, told.headers.get('connection')]).toEqual([503, 'close']);
  expect(await told.json()).toMatchObject({ status: 'fail', checks: { accepting: false } });
  // It is alive, and whoever comes meanwhile is served, on a connection that is not kept.
  expect((await fetch(`${door.url}/health`)).status).toBe(200);
  const served = await fetch(door.url + catalog, { headers: { Authorization: 'Bearer air_operator' } });
  expect([served.status, served.headers.get('connection')]).toEqual([200, 'close']);
  await closed;
  expect(performance.now() - began).toBeGreaterThan(2400);
  await expect(asked()).rejects.toThrow();
});
