import { whyNotExternal } from '../external.ts';
import { type House, openHouse } from '../house.ts';
import { copyLines, makeLine } from '../lines.ts';
import { fixedArrival, openClient, seeded } from '../load.ts';
import { mixOf, openKinds } from '../operations.ts';
import { NotMeasured, type Part } from '../part.ts';
import { familyOf, pssOf } from '../processes.ts';
import { callTool, pause } from '../server.ts';

const idleMbMax = 200;
const loadSeconds = 20;
const perSecond = 200;

interface Weight {
  server: number;
  database: number;
}

function weigh(house: House): Weight {
  const postmaster = house.postmaster();
  const database = familyOf(postmaster);
  // The database that the server brought may be its child, and is counted once.
  const server = familyOf(house.server().process.pid ?? 0).filter((pid) => !database.includes(pid));
  return { server: pssOf(server), database: pssOf(database) };
}

const sum = ({ server, database }: Weight): number => server + database;
const heavier = (a: Weight, b: Weight): Weight => (sum(b) > sum(a) ? b : a);

/** Memory of the whole, server and database: after a story and some minutes of rest, and under load. */
export const memory: Part = {
  name: 'memory',
  title: 'Memory of server and database',
  isByDatabase: true,
  async measure(kind, { isShort, idleMinutes, seed }) {
    if (process.platform !== 'linux') throw new NotMeasured('PSS is told by Linux alone');
    const house = await openHouse(kind);
    if (!house) throw new NotMeasured(whyNotExternal);
    try {
      await story(house);
      const after = weigh(house);
      const until = Date.now() + idleMinutes * 60_000;
      let most = after;
      while (Date.now() < until) {
        await pause(Math.min(5000, Math.max(0, until - Date.now())));
        most = heavier(most, weigh(house));
      }
      const idle = weigh(house);
      const { loaded, settled } = await underLoad(house, isShort ? 5 : loadSeconds, seed);
      const row = (what: string, weight: Weight) => [
        what,
        ...[weight.server, weight.database, sum(weight)].map((value) => value.toFixed(1)),
      ];
      return {
        figures: [
          { key: 'memory.idle', value: sum(idle), unit: 'MB', better: 'less', floor: 5 },
          { key: 'memory.load', value: sum(loaded), unit: 'MB', better: 'less', floor: 20 },
        ],
        tables: [
          {
            title: 'PSS in MB',
            head: ['', 'server', 'database', 'together'],
            rows: [
              row('right after a story', after),
              row(`idle for ${idleMinutes} minutes after it`, idle),
              row('the most while idle', most),
              row(`the most at ${perSecond} requests a second`, loaded),
              row('a few seconds after that load', settled),
            ],
            note: 'Summed over all processes from /proc/*/smaps_rollup. The story: a customer, a card, a line, usage until the quota is empty, a top-up, lists, balances, the dashboard, a ticket, a month of business time with its renewal.',
          },
        ],
        // A PostgreSQL of the operator's has the settings of the operator: what it takes is shown, and is no promise of ours.
        promises:
          kind === 'embedded'
            ? [
                {
                  what: `whole stack idle under ${idleMbMax} MB`,
                  measured: `${sum(idle).toFixed(0)} MB after ${idleMinutes} minutes`,
                  isKept: sum(idle) < idleMbMax,
                },
              ]
            : [],
      };
    } finally {
      await house.close();
    }
  },
};

async function story(house: House): Promise<void> {
  const server = house.server();
  const pool = await house.pool();
  const line = await makeLine(server, pool, 'PLAN_S');
  const { rows } = await pool.query<{ msisdn: string; customer: string }>(
    `SELECT "msisdn", "customer_id" AS customer FROM "subscription" WHERE "id" = $1`,
    [line],
  );
  const { msisdn = '', customer = '' } = rows[0] ?? {};
  await callTool(server, 'usage.record', { msisdn, kind: 'data', amount: 500, unit: 'GB' });
  await callTool(server, 'subscription.top_up', { subscriptionId: line, offering: 'VAS_DATA_1GB' });
  await callTool(server, 'ticket.open', { name: 'Slow', description: 'It is slow.', customerId: customer });
  for (const [tool, input] of [
    ['subscription.show', { subscriptionId: line }],
    ['usage.list', { subscriptionId: line }],
    ['customer.list', {}],
    ['event.trace', { id: line }],
    ['dashboard.show', {}],
    ['clock.advance', { days: 31 }],
    ['dashboard.show', {}],
  ] as const)
    await callTool(server, tool, input);
  await pause(3000);
}

async function underLoad(house: House, seconds: number, seed: number): Promise<{ loaded: Weight; settled: Weight }> {
  const pool = await house.pool();
  const server = house.server();
  await copyLines(pool, await makeLine(server, pool, 'PLAN_L'), 500);
  const client = openClient(server);
  const kinds = await openKinds(client, pool, seeded(seed));
  let loaded = weigh(house);
  const looking = setInterval(() => {
    loaded = heavier(loaded, weigh(house));
  }, 1000);
  await fixedArrival(perSecond, seconds, mixOf(kinds, seeded(seed + 1)));
  clearInterval(looking);
  client.close();
  await pause(5000);
  return { loaded, settled: weigh(house) };
}
