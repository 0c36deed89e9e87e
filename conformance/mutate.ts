/**
 * `npx tsx conformance/mutate.ts [--api TMF622] [--fault "page overlap"]` plants one fault at a time in front of our own
 * server and proves that the suite notices each on every API where it can show. First the suite passes with none planted.
 */
import { parseArgs } from 'node:util';
import { makeClient } from './client.ts';
import { type Fault, faults, startFaultyProxy } from './faulty-proxy.ts';
import { readLedger } from './ledger.ts';
import { startListener } from './listener.ts';
import { startServerProcess } from './server-process.ts';
import { apiOrder, type Finding, openSession } from './session.ts';
import { makeWorld } from './world.ts';

const { values: given } = parseArgs({
  options: { api: { type: 'string', multiple: true }, fault: { type: 'string', multiple: true } },
});
const apis = apiOrder.filter((api) => given.api === undefined || given.api.includes(api));
const planted = faults.filter(({ name }) => given.fault === undefined || given.fault.includes(name));
/** With nothing lost, events arrive within a second; with something lost, they are not waited for much longer. */
const arrivalMsMax = 4_000;

const ledger = readLedger();
const isNews = ({ row, outcome }: Finding): boolean => outcome === 'failed' && !ledger.has(row.id);

async function main(): Promise<number> {
  const server = await startServerProcess();
  const listener = await startListener();
  const proxy = await startFaultyProxy(server.url);
  const began = Date.now();
  try {
    const honest = makeClient(server);
    const world = await makeWorld(honest, 'quick');
    await world.settled();

    const firstFailure = async (api: string, fault: Fault | undefined): Promise<Finding | undefined> => {
      proxy.plant(undefined);
      const session = await openSession({
        ...server,
        url: proxy.url,
        directUrl: server.url,
        size: 'quick',
        apis: [api],
        listener,
        world,
        arrivalMsMax: fault ? arrivalMsMax : 20_000,
      });
      try {
        proxy.plant(fault);
        const found = fault?.inEvents ? [] : await session.proveApi(api, { stopAtFirst: true });
        const failed = found.find(isNews);
        if (failed || (fault && !fault.inEvents)) return failed;
        return (await session.proveEvents(api, { stopAtFirst: true })).find(isNews);
      } finally {
        proxy.plant(undefined);
        session.close();
      }
    };

    const survivors: string[] = [];
    for (const api of apis) {
      const without = await firstFailure(api, undefined);
      if (without) survivors.push(`${api} fails with nothing planted: ${without.row.id} ${without.detail}`);
      let killed = 0;
      let applying = 0;
      const notes: string[] = [];
      for (const fault of planted) {
        const why = fault.spares(api);
        if (why !== undefined) {
          notes.push(`  ${fault.name}: does not apply, ${why}`);
          continue;
        }
        applying += 1;
        const failure = await firstFailure(api, fault);
        if (failure) {
          killed += 1;
          notes.push(`  ${fault.name}: killed by ${failure.row.id}`);
        } else survivors.push(`${fault.name} survived on ${api}`);
      }
      console.log(`${api}  ${killed} killed of ${applying} planted  (${Math.round((Date.now() - began) / 1000)} s)`);
      for (const line of notes) console.log(line);
    }
    honest.close();
    if (survivors.length > 0) console.log(`\n${survivors.join('\n')}`);
    return survivors.length === 0 ? 0 : 1;
  } finally {
    proxy.stop();
    listener.stop();
    await server.stop();
  }
}

process.exitCode = await main();
