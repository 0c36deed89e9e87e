import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, whyNotExternal } from '../external.ts';
import { openHouse } from '../house.ts';
import { makeLine } from '../lines.ts';
import { percentile } from '../load.ts';
import { emptyNode } from '../machine.ts';
import { milliseconds, NotMeasured, type Part } from '../part.ts';
import { pause, run } from '../server.ts';

const readyMsMax = 1500;
const times = { whole: 9, short: 3 };
const program = fileURLToPath(new URL('../../dist/airtime.js', import.meta.url));
const waitMsMax = 60_000;
const sample = '/tmf-api/productCatalogManagement/v4/productOffering?limit=1';

/** From the start of the process to the first request of a caller that is answered from the database. */
export const coldStart: Part = {
  name: 'cold-start',
  title: 'Cold start',
  isByDatabase: true,
  async measure(kind, { isShort }) {
    const begun = performance.now();
    const house = await openHouse(kind);
    if (!house) throw new NotMeasured(whyNotExternal);
    try {
      const first = performance.now() - begun;
      const { token } = house.server();
      await makeLine(house.server(), await house.pool(), 'PLAN_M');
      await house.stop();
      const taken: number[] = [];
      for (let time = 0; time < (isShort ? times.short : times.whole); time += 1) {
        const port = await freePort();
        mkdirSync(house.home, { recursive: true });
        const from = performance.now();
        const started = run(
          [program, 'serve'],
          { ...house.environment, AIRTIME_HOME: house.home, AIRTIME_PORT: String(port), AIRTIME_LOG_LEVEL: 'warn' },
          join(house.home, 'bench.log'),
        );
        try {
          await answered(`http://127.0.0.1:${port}${sample}`, token, from);
          taken.push(performance.now() - from);
        } finally {
          await started.stop();
        }
      }
      taken.sort((a, b) => a - b);
      const median = percentile(taken, 0.5);
      const empty = await emptyNode();
      return {
        figures: [{ key: 'cold-start.median', value: median, unit: 'ms', better: 'less', floor: 50 }],
        tables: [
          {
            title: 'Process start to first answered request',
            head: ['', 'measured'],
            rows: [
              [`on existing data, median of ${taken.length}`, milliseconds(median)],
              ['fastest and slowest', `${milliseconds(taken[0] ?? 0)}, ${milliseconds(taken.at(-1) ?? 0)}`],
              ['beside it: Node with an empty program, median', milliseconds(empty)],
              ['first of all: database made, migrated, catalogue filled', milliseconds(first)],
            ],
            note:
              kind === 'embedded'
                ? 'The process starts its PostgreSQL as well. Files of the program are in the page cache of the system.'
                : 'PostgreSQL runs already. Files of the program are in the page cache of the system.',
          },
        ],
        promises: [
          {
            what: `ready in about a second on existing data (median under ${readyMsMax} ms)`,
            measured: milliseconds(median),
            isKept: median < readyMsMax,
          },
        ],
      };
    } finally {
      await house.close();
    }
  },
};

async function answered(url: string, token: string, from: number): Promise<void> {
  while (performance.now() - from < waitMsMax) {
    try {
      const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
      await response.arrayBuffer();
      if (response.ok || response.status === 206) return;
    } catch {
      // Nobody listens yet.
    }
    await pause(5);
  }
  throw new Error(`no request was answered within ${waitMsMax / 1000} s`);
}
