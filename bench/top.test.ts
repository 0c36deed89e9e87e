import { afterAll, beforeAll, expect, test } from 'vitest';
import tools from '../generated/tools.json' with { type: 'json' };
import { readVerbs } from '../surfaces/cli/descriptors.ts';
import { run } from '../surfaces/cli/program.ts';
import { TestScreen } from '../surfaces/cli/render/testing-screen.ts';
import type { Terminal } from '../surfaces/cli/terminal.ts';
import { openShop, type Shop } from '../surfaces/http/testing-house.ts';
import { copyLines, numbersOf } from './lines.ts';

// `bss top` over a day of a thousand customers: a real server on a real database, and a terminal that watches the bytes.

const customers = 1000;
const records = 20_000;
const size = { columns: 100, rows: 40 };
const frames = 5;
/** Figures of a day are shared by all who look within a second, and given out once more while they are read anew. */
const framesApartMs = 2100;
/** Far above what it takes, for a machine that is busy with something else. */
const queryMsMax = 2000;
const frameMsMax = 500;

let shop: Shop;

beforeAll(async () => {
  shop = await openShop();
  const line = await shop.line();
  await copyLines(shop.house.pool, line.id, customers - 1);
  await useOfToday();
});
afterAll(() => shop?.close());

/** The day's usage, spread over the hours that have passed. */
async function useOfToday(): Promise<void> {
  const client = await shop.house.pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SELECT begin_command('test.usage', '{}'::jsonb)`);
    await client.query(
      `INSERT INTO "usage" ("id", "state", "document", "version", "msisdn", "kind", "charged", "usage_date", "created_at", "updated_at")
       SELECT 'usg_' || lpad(i::text, 26, '0'), CASE WHEN i % 50 = 0 THEN 'rejected' ELSE 'rated' END, '{}'::jsonb, 1, '65900' || lpad((i % 1000)::text, 5, '0'),
         'data', (i % 100) * 1048576, day.begins + (i::double precision / $1) * (business_now() - day.begins), business_now(), business_now()
       FROM generate_series(1, $1::int) i, (SELECT date_trunc('day', business_now() AT TIME ZONE 'Asia/Singapore') AT TIME ZONE 'Asia/Singapore' AS begins) day`,
      [records],
    );
    await client.query('COMMIT');
    await client.query('ANALYZE "usage"');
  } finally {
    client.release();
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

test('a day of a thousand customers is drawn over and over, and never cleared', async () => {
  const numbers = await numbersOf(shop.house.pool);
  const screen = new TestScreen(size.rows, size.columns);
  const queryMs: number[] = [];
  const frameMs: number[] = [];
  const bytes: number[] = [];
  let isOpen = false;
  let answeredAt = 0;
  let left = frames;
  let out = '';
  const terminal: Terminal = {
    folder: '/',
    env: { AIRTIME_URL: shop.door.url, AIRTIME_TOKEN: 'air_operator' },
    isInputTty: true,
    isOutputTty: true,
    isErrorTty: true,
    columns: () => size.columns,
    out: (text) => {
      out += text;
    },
    error: (text) => {
      throw new Error(text);
    },
    readFile: () => '',
    readLines: async function* () {},
    ask: async () => undefined,
    pause: async () => false,
    rows: () => size.rows,
    fetch: async (url, request) => {
      const asked = performance.now();
      const response = await fetch(url, request);
      const text = await response.text();
      answeredAt = performance.now();
      queryMs.push(answeredAt - asked);
      return new Response(text, { status: response.status });
    },
    openScreen: () => {
      isOpen = true;
      return {
        rows: () => size.rows,
        write: (frame) => {
          const blankBefore = screen.blank();
          frameMs.push(performance.now() - answeredAt);
          bytes.push(frame.length);
          screen.write(frame);
          if (bytes.length > 1) expect(screen.blankMost).toBeLessThanOrEqual(Math.max(blankBefore, screen.blank()));
          expect([screen.cleared, screen.isHeld]).toEqual([0, false]);
        },
        wait: async () => {
          // Business goes on between two frames.
          const msisdn = numbers[left];
          await shop.door.tool('usage.record', { msisdn, kind: 'data', amount: 1, unit: 'GB' });
          left -= 1;
          if (left > 0) await new Promise((resolve) => setTimeout(resolve, framesApartMs));
          return left > 0;
        },
        close: () => {
          isOpen = false;
        },
      };
    },
  };
  expect(await run(['top'], readVerbs(tools), '0', terminal)).toBe(0);

  const picture = screen.rows.join('\n');
  expect(picture).toContain('1,000');
  expect(picture).toContain('20,0'); // the records of the day, and those of this test
  expect(screen.rows.at(-1)?.trim() === '' || picture.includes('╰')).toBe(true);
  expect([isOpen, out]).toEqual([false, '']);
  // A look at figures that are still the same draws nothing: a busy machine gives the ones it has while it reads anew.
  expect(queryMs.length).toBe(frames);
  expect(bytes.length).toBeGreaterThan(1);
  expect(median(queryMs)).toBeLessThan(queryMsMax);
  expect(median(frameMs)).toBeLessThan(frameMsMax);
  // After the first one a frame holds what changed and no more.
  expect(Math.max(...bytes.slice(1))).toBeLessThan(bytes[0] ?? 0);
  const told = (name: string, values: readonly number[]) =>
    `${name} p50 ${median(values).toFixed(1)}, most ${Math.max(...values).toFixed(1)}`;
  process.stdout.write(
    `bss top, ${customers} customers, ${records} records of today: ${told('query ms', queryMs)}; ${told('frame ms', frameMs)}; ` +
      `first frame ${bytes[0]} bytes, later ones p50 ${median(bytes.slice(1))}\n`,
  );
});
