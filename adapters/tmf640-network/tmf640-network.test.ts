import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkContract } from '../network.contract.ts';
import type { DesiredLine, NetworkTask } from '../network.ts';
import { base, type Foreign, startForeign, token } from './testing-foreign.ts';
import { openTmf640Network, type Tmf640NetworkOptions } from './tmf640-network.ts';

let drawn = 0;
const unique = () => {
  drawn += 1;
  return drawn;
};
const newLine = () => ({
  line: `svc_${unique()}`,
  msisdn: `65${String(unique()).padStart(8, '0')}`,
  iccid: `89650${String(unique()).padStart(14, '0')}`,
});
const active: DesiredLine = { state: 'active', data: true, voice: true, sms: true, roamingData: false };
const task = (of = newLine(), sequence = 1, desired = active): NetworkTask => ({
  key: `key ${unique()}`,
  ...of,
  sequence,
  desired,
});

describe.each(['sync', 'async'] as const)('a foreign TMF640 server that answers %s', (mode) => {
  let foreign: Foreign;
  beforeAll(async () => {
    foreign = await startForeign(mode);
  });
  afterAll(() => foreign.close());
  const open = (given: Partial<Tmf640NetworkOptions> = {}) =>
    openTmf640Network({ url: foreign.url + base, token, now: () => new Date(), ...given });

  networkContract(`TMF640, ${mode}`, async () => {
    // Both clocks stand still: of an answer's instants a restart knows the first only.
    const date = '2026-03-01T00:00:00.000Z';
    const now = () => new Date(date);
    await foreign.control({ date });
    return {
      network: open({ now }),
      newLine,
      newKey: () => `key ${unique()}`,
      refuseNext: (line, permanent) => foreign.control({ refuse: { name: line, status: permanent ? 422 : 409 } }),
      restart: async () => open({ now }),
      close: async () => expect(foreign.breaches.slice(0, 3)).toEqual([]),
    };
  });

  test('a connection that breaks before or after the effect leaves one effect, in this process and in the next', async () => {
    for (const fault of [{ breakBefore: 1 }, { loseAnswers: 1 }]) {
      for (const restarts of [false, true]) {
        const network = open();
        const [first, second] = [task(), task()];
        const change = { ...task(first, 2, { ...active, data: false }), key: `key ${unique()}` };
        await network.apply(first);
        const { services } = await foreign.control(fault);
        await expect(network.apply(second)).rejects.toMatchObject({ name: 'OutcomeUnknown', key: second.key });
        expect(await (restarts ? open() : network).apply(second)).toMatchObject({ outcome: 'confirmed' });
        expect((await foreign.control({})).services).toBe(services + 1);
        await foreign.control(fault);
        await expect(network.apply(change)).rejects.toMatchObject({ name: 'OutcomeUnknown' });
        expect(await (restarts ? open() : network).apply(change)).toMatchObject({ outcome: 'confirmed', sequence: 2 });
        expect(await network.line(first.line)).toMatchObject({ sequence: 2, data: false });
      }
    }
    expect(foreign.breaches.slice(0, 3)).toEqual([]);
  });

  test('two copies of us at once: the higher sequence stands, whoever was first', async () => {
    const copies = [open(), open(), open()];
    const own = newLine();
    await copies[0]?.apply(task(own, 0));
    const tasks = Array.from({ length: 12 }, (_, index) => task(own, index + 1, { ...active, data: index % 2 === 1 }));
    await Promise.all(
      tasks.map(async (each, index) => {
        // A copy that is overtaken too often gives up for now; the step sends the same task again.
        for (;;) {
          const answer = await copies[index % 3]?.apply(each).catch(() => undefined);
          if (answer) return;
        }
      }),
    );
    expect(await copies[1]?.line(own.line)).toMatchObject({ sequence: 12, data: true });
  });

  test('a newer task of another copy that comes between our look and our write stands', async () => {
    const network = open();
    const own = newLine();
    await network.apply(task(own));
    await foreign.control({ overtakes: 1 });
    const late = task(own, 2, { ...active, data: false });
    expect(await network.apply(late)).toMatchObject({ outcome: 'superseded', newestSequence: 99 });
    expect(await network.line(own.line)).toMatchObject({ sequence: 99, data: true });
  });

  test('a token that it does not know is refused, and nothing is changed', async () => {
    await expect(open({ token: 'another' }).apply(task())).rejects.toMatchObject({ code: 'unauthorised' });
  });

  if (mode === 'async')
    test('a monitor that does not end is followed on under the same key', async () => {
      const network = open({ monitorMs: 60 });
      const asked = task();
      await foreign.control({ stuck: true });
      await expect(network.apply(asked)).rejects.toMatchObject({ name: 'OutcomeUnknown' });
      const { monitors } = await foreign.control({});
      await expect(network.apply(asked)).rejects.toMatchObject({ name: 'OutcomeUnknown' });
      expect((await foreign.control({ stuck: false })).monitors).toBe(monitors);
      expect(await network.apply(asked)).toMatchObject({ outcome: 'confirmed' });
    });
});

test('silence ends in time; a monitor of another server is not asked', async () => {
  const { createServer } = await import('node:http');
  let mode = 'silent';
  const server = createServer((request, response) => {
    if (mode === 'silent') return;
    if (request.method === 'GET') return void response.end('[]');
    response.writeHead(202, { location: 'http://127.0.0.1:1/monitor/1' }).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const open = { url: `http://127.0.0.1:${port}`, token, now: () => new Date() };
  const impatient = openTmf640Network({ ...open, timeoutMs: 100 });
  await expect(impatient.apply(task())).rejects.toMatchObject({ name: 'OutcomeUnknown' });
  mode = 'elsewhere';
  const network = openTmf640Network(open);
  await expect(network.apply(task())).rejects.toThrow(/another server/);
  server.closeAllConnections();
  server.close();
});
