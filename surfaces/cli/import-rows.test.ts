import { afterAll, beforeAll, expect, test } from 'vitest';
import { type House, openHouse } from '../../doctrine/house.ts';
import tools from '../../generated/tools.json' with { type: 'json' };
import { commands } from '../../policy/commands.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { queriesFor } from '../../tools/queries.ts';
import { makeTools } from '../../tools/registry.ts';
import { type TestDoor, testDoor, testWire } from '../http/testing.ts';
import { readVerbs } from './descriptors.ts';
import { run } from './program.ts';

// Files of customers and numbers, typed at the terminal and taken over by a server with a database.

const verbs = readVerbs(tools);
let house: House;
let door: TestDoor;

beforeAll(async () => {
  house = await openHouse();
  const { policy, pool } = house;
  const own = makeTools({ policy, pool, commands, queries: queriesFor(commands) });
  door = await testDoor({ wire: { ...testWire(pool), policy }, tools: own });
});
afterAll(async () => {
  await door.server.close(100);
  await house.close();
});

interface Ran {
  code: number;
  /** Every row that was printed, by its line in the file. */
  rows: Map<number, Record<string, string>>;
  out: string;
  error: string;
  calls: number;
}

async function bss(
  line: string[],
  text: string,
  given: { tty?: boolean; answer?: (call: number) => Error | Response | undefined; size?: number } = {},
): Promise<Ran> {
  const ran: Ran = { code: 0, rows: new Map(), out: '', error: '', calls: 0 };
  const never = () => {
    throw new Error('nobody is asked here');
  };
  ran.code = await run(line, verbs, '1', {
    folder: '/',
    env: { AIRTIME_URL: door.url, AIRTIME_TOKEN: 'air_operator', NO_COLOR: '1' },
    isInputTty: false,
    isOutputTty: false,
    isErrorTty: given.tty === true,
    columns: () => 80,
    out: (more) => {
      ran.out += more;
    },
    error: (more) => {
      ran.error += more;
    },
    readFile: never,
    readLines: async function* () {
      yield* text.split('\n');
    },
    fileBytes: () => given.size,
    ask: never,
    pause: async () => true,
    fetch: async (url, init) => {
      ran.calls += 1;
      const instead = given.answer?.(ran.calls);
      if (instead instanceof Error) throw instead;
      return instead ?? fetch(url, init);
    },
  });
  const [names = '', ...rows] = ran.out.trimEnd().split('\n');
  for (const row of rows) {
    const cells = row.split(',');
    const named = Object.fromEntries(names.split(',').map((name, place) => [name, cells[place] ?? '']));
    ran.rows.set(Number(named.line), named);
  }
  return ran;
}

async function count(sql: string): Promise<number> {
  const [row] = await runStatement<{ count: bigint }>(house.pool, `SELECT count(*) AS count FROM ${sql}`, []);
  return Number(row?.count ?? 0);
}

const person = (n: number) => `Ada ${n},Lim,file-${n}@example.com,`;
const header = 'givenName,familyName,email,phone';

test('each row of a file has its own answer, and a bad one stops no other', async () => {
  const before = await count('"customer"');
  const file = [
    header,
    person(1),
    ',Nobody,no-name@example.com,',
    'Bad,Address,not an address,',
    person(2),
    'too,few',
    'Twice,Here,FILE-1@example.com,+65 6000 0000',
    `Odd\u0007,Bell,bell@example.com,`,
    '"Quoted, Jr",Tan,quoted@example.com,',
    person(1),
  ].join('\n');
  const ran = await bss(['customer', 'import', 'people.csv'], file);
  expect(ran.code).toBe(1);
  const outcome = (line: number) => {
    const { outcome: came, rule, field } = ran.rows.get(line) ?? {};
    return [came, rule, field].filter(Boolean).join(' ');
  };
  expect([2, 3, 4, 5, 6, 7, 9, 10].map(outcome)).toEqual([
    'accepted',
    'refused invalid givenName',
    'refused customer.email_valid email',
    'accepted',
    'refused unreadable',
    'refused customer.email_unique email',
    'accepted',
    'repeated',
  ]);
  expect(ran.error).toMatch(/[45] accepted, 1 seen before/);
  expect(await count('"customer"')).toBe(before + Number(/(\d) accepted/.exec(ran.error)?.[1]));
  const [made] = await runStatement<{ id: string; name: string }>(
    house.pool,
    `SELECT "id", "name" FROM "customer" WHERE "email" = 'quoted@example.com'`,
    [],
  );
  expect(made).toEqual({ id: ran.rows.get(9)?.id, name: 'Quoted, Jr Tan' });
  const story = await count(`"event" WHERE "resource_id" = '${made?.id}' AND "type" = 'CustomerCreateEvent'`);
  expect([story, await count(`"billing_account" WHERE "customer_id" = '${made?.id}'`)]).toEqual([1, 1]);
});

test('a file that was broken off is sent again, and nothing is done twice', async () => {
  const rows = Array.from({ length: 1300 }, (_, n) => `Row,${n},row-${n}@example.com,,key-${n}`);
  const file = [`${header},key`, ...rows].join('\n');
  const broken = await bss(['customer', 'import', 'p.csv', '--to', 'none'], file, {
    answer: (call) => (call > 2 ? Object.assign(new TypeError('fetch failed'), {}) : undefined),
  });
  expect([broken.code, broken.error.includes('Send the file again')]).toEqual([1, true]);
  const half = await count(`"customer" WHERE "email" LIKE 'row-%'`);
  expect(half).toBe(1000);
  const again = await bss(['customer', 'import', 'p.csv'], file);
  expect([again.code, again.calls, await count(`"customer" WHERE "email" LIKE 'row-%'`)]).toEqual([0, 3, 1300]);
  expect(again.error).toContain('300 accepted, 1,000 seen before');
  // An answer that was lost on its way: the call is made once more, and each row is done once.
  const lost = await bss(['customer', 'import', 'p.csv', '--to', 'none'], file, {
    answer: (call) => (call === 1 ? new TypeError('terminated') : undefined),
  });
  expect([lost.code, lost.error.includes('1,300 seen before')]).toEqual([0, true]);
  const other = [`${header},key`, 'Another,Person,other@example.com,,key-7'].join('\n');
  const reused = await bss(['customer', 'import', 'p.csv'], other);
  expect(reused.rows.get(2)).toMatchObject({ outcome: 'refused', rule: 'idempotency.key_reused', field: 'key' });
});

test('what the door lets in nowhere is found among its neighbours and refused alone', async () => {
  const nasty = 'x'.repeat(20_000);
  const rows = Array.from({ length: 9 }, (_, n) =>
    n === 4 ? `${nasty},Long,long@example.com,` : `Near,${n},near-${n}@example.com,`,
  );
  const ran = await bss(['customer', 'import', 'p.csv'], [header, ...rows].join('\n'));
  expect(ran.rows.get(6)?.outcome).toBe('refused');
  expect([...ran.rows.values()].filter(({ outcome }) => outcome === 'accepted')).toHaveLength(8);
  expect(ran.calls).toBeGreaterThan(1);
});

test('numbers are loaded once, the others refused by their form', async () => {
  const file = ['msisdn', '6570000001', '6570000002', 'abc', '6570000001', '12'].join('\n');
  const ran = await bss(['number', 'import', 'n.csv'], file);
  expect([2, 3, 4, 5, 6].map((line) => ran.rows.get(line)?.outcome)).toEqual([
    'accepted',
    'accepted',
    'refused',
    'repeated',
    'refused',
  ]);
  const again = await bss(['number', 'import', 'n.csv', '--to', 'refused'], file);
  expect(again.error).toContain('0 accepted, 3 seen before');
  expect(await count(`"phone_number" WHERE "msisdn" LIKE '657%' AND "state" = 'available'`)).toBe(2);
});

test('a person sees a bar, and a file without its columns is wrong usage', async () => {
  const file = ['msisdn', ...Array.from({ length: 1200 }, (_, n) => String(6571000000 + n))].join('\n');
  const ran = await bss(['number', 'import', 'n.csv', '--to', 'none'], file, { tty: true, size: file.length });
  expect(ran.error).toMatch(/█+[▉-▏]?░+ +\d+ % [\d,]+ rows, [\d,]+ a second/);
  expect(ran.error).toContain('100 % 1,200 rows');
  const bare = await bss(['customer', 'import', 'n.csv'], 'name,mail\nAda,a@b.example');
  expect([bare.code, bare.error]).toEqual([2, expect.stringContaining('givenName, familyName, email')]);
});
