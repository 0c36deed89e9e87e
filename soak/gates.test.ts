import { expect, test } from 'vitest';
import {
  belowMinimum,
  driftOf,
  type Figures,
  type GateName,
  gateNames,
  growth,
  judge,
  kinds,
  limits,
  passed,
} from './gates.ts';
import { sizeOf } from './size.ts';

const size = sizeOf({ short: false });

const times = (surface: string, p99: number) => ({ surface, count: 100, p50: 10, p99, longest: p99 });

/** Figures of a run that has done enough and at which nothing is wrong. */
function good(): Figures {
  const counts = { ...size.minimums };
  return {
    counts,
    trips: [],
    refusals: counts.probes,
    notRefused: [],
    leaks: [],
    turns: { sent: 320, answered: 310, missing: 0, surplus: 0, otherTokens: 0 },
    chat: [
      { model: 'one', ...times('chat', 400) },
      { model: 'two', ...times('chat', 90) },
    ],
    lost: [],
    errors: [],
    breaches: [],
    renewals: { due: 60, once: 60, wrong: [] },
    memory: Array.from({ length: 30 }, (_, place) => ({ hour: place * 8, life: 0, serverMb: 120, databaseMb: 60 })),
    tables: [
      { hour: 24, acknowledged: 400, databaseMb: 20, passing: 100, largest: [] },
      { hour: 400, acknowledged: 5400, databaseMb: 60, passing: 200, largest: [] },
    ],
    times: [times('tmf', 80)],
  };
}

const failing = (figures: Figures): GateName[] =>
  judge(figures)
    .filter(({ held }) => !held)
    .map(({ gate }) => gate);

test('figures at which nothing is wrong pass every gate, and each gate is judged once', () => {
  expect(judge(good()).map(({ gate }) => gate)).toEqual(gateNames);
  expect(failing(good())).toEqual([]);
  expect(judge(good()).some(({ alarm }) => alarm)).toBe(false);
  expect(passed(good(), size.minimums)).toBe(true);
});

test.each(kinds)('a run with one too few of %s is void, though every gate holds', (kind) => {
  const figures = good();
  figures.counts[kind] -= 1;
  // A refusal belongs to a probe: one probe less is one refusal less.
  const fewer = kind === 'probes' ? { ...figures, refusals: figures.refusals - 1 } : figures;
  expect(failing(fewer)).toEqual([]);
  expect(belowMinimum(fewer.counts, size.minimums)).toEqual([
    `${kind}: ${size.minimums[kind] - 1} of at least ${size.minimums[kind]}`,
  ]);
  expect(passed(fewer, size.minimums)).toBe(false);
});

const leak = { surface: 'pages' as const, where: 'GET /account', found: 'cus_x', reader: 'cus_a', owner: 'cus_b' };
const last = good().memory.slice(-10);

const faulty: readonly (readonly [GateName, string, Partial<Figures>])[] = [
  ['probes', 'a probe was not refused', { refusals: size.minimums.probes - 1 }],
  ['probes', 'more was refused than was tried', { refusals: size.minimums.probes + 1 }],
  ['probes', 'one is named as answered', { notRefused: ['GET /account/orders/ord_x'] }],
  ['trips', 'the check on the way out fired once', { trips: ['order.show'] }],
  ['leaks', 'one answer told of another', { leaks: [leak] }],
  ['drift', 'one turn is not recorded', { turns: { ...good().turns, missing: 1 } }],
  ['drift', 'one turn is recorded twice', { turns: { ...good().turns, surplus: 1 } }],
  ['drift', 'one turn has other tokens', { turns: { ...good().turns, otherTokens: 1 } }],
  ['drift', 'nothing was answered', { turns: { ...good().turns, answered: 0 } }],
  ['chat p99', 'the slower of two is at the bound', { chat: [{ model: 'one', ...times('chat', limits.chatFailMs) }] }],
  ['chat p99', 'nobody chatted', { chat: [] }],
  ['lost writes', 'one is not there', { lost: ['/usage/usg_x is not there'] }],
  ['errors', 'one answer was an error of the server', { errors: ['POST /usage 500: oops'] }],
  ['invariants', 'one broke once', { breaches: ['hour 3: quota'] }],
  ['renewals', 'one was not charged', { renewals: { due: 60, once: 59, wrong: ['sub_x was charged 0 times'] } }],
  ['renewals', 'one was charged that was not due', { renewals: { due: 60, once: 60, wrong: ['no boundary'] } }],
  ['renewals', 'fewer were once than were due', { renewals: { due: 61, once: 60, wrong: [] } }],
  [
    'memory',
    'the whole is above its bound once',
    { memory: [...last, { hour: 9, life: 0, serverMb: limits.wholeMbMax, databaseMb: 1 }] },
  ],
  ['memory', 'nothing was measured', { memory: [] }],
  [
    'memory',
    'no server lived long enough',
    { memory: good().memory.map((one, place) => ({ ...one, life: place >> 3 })) },
  ],
  [
    'memory',
    'the last server of three grows',
    {
      memory: good().memory.map((one, place) => ({
        ...one,
        life: place < 5 ? 0 : place < 10 ? 1 : 2,
        serverMb: place < 24 ? 120 : 121 + limits.serverGrowthMb,
      })),
    },
  ],
  [
    'memory',
    'the server grows',
    {
      memory: good().memory.map((one, place) => ({ ...one, serverMb: place < 20 ? 120 : 121 + limits.serverGrowthMb })),
    },
  ],
  [
    'memory',
    'the database grows',
    {
      memory: good().memory.map((one, place) => ({
        ...one,
        databaseMb: place < 20 ? 60 : 61 + limits.databaseGrowthMb,
      })),
    },
  ],
  ['tables', 'nothing was measured', { tables: [] }],
  [
    'tables',
    'a write costs too much',
    {
      tables: good().tables.map((one, place) => ({
        ...one,
        databaseMb: 20 + place * 5000 * (limits.kbPerWrite / 1000),
      })),
    },
  ],
  [
    'tables',
    'what should pass piles up',
    {
      tables: good().tables.map((one) => ({
        ...one,
        passing: 1 + limits.passingPerWrite * size.minimums.acknowledged,
      })),
    },
  ],
  ['p99', 'one surface is slow', { times: [times('tmf', 80), times('pages', limits.surfaceMs)] }],
  ['p99', 'nothing was measured', { times: [] }],
];

test.each(faulty)('%s fails when %s, and no other gate does', (gate, _, change) => {
  const figures = { ...good(), ...change };
  expect(failing(figures)).toEqual([gate]);
  expect(passed(figures, size.minimums)).toBe(false);
});

test('every gate has a faulty figure', () => {
  expect(new Set(faulty.map(([gate]) => gate))).toEqual(new Set(gateNames));
});

test('chat alarms at five seconds, fails at fifteen, and names its model either way', () => {
  const at = (p99: number) =>
    judge({ ...good(), chat: [{ model: 'slow-one', ...times('chat', p99) }] }).find(({ gate }) => gate === 'chat p99');
  expect(at(limits.chatAlarmMs - 1)).toMatchObject({ held: true, alarm: false });
  expect(at(limits.chatAlarmMs)).toMatchObject({ held: true, alarm: true });
  expect(at(limits.chatFailMs)).toMatchObject({ held: false, alarm: true });
  expect(at(limits.chatFailMs)?.says).toContain('slow-one: 15000 ms');
});

test('moving time may take as long as the work that falls due takes', () => {
  expect(failing({ ...good(), times: [times('tmf', 80), times('clock', 20_000)] })).toEqual([]);
});

test('drift is counted in percent of the turns that were answered', () => {
  expect(driftOf({ sent: 210, answered: 200, missing: 1, surplus: 2, otherTokens: 3 })).toBe(3);
});

test('growth is from the first third to the last, whatever one sample says', () => {
  expect(growth([100, 900, 100, 110, 110, 110, 130, 130, 1])).toBe(30);
  expect(growth([1, 2])).toBe(0);
});

test('the whole size asks for what the house has promised, and a larger one for more', () => {
  expect(size.minimums).toMatchObject({ usages: 5000, chats: 300, probes: 200, renewals: 60, faults: 100, kills: 10 });
  expect(size.minimums.invariantLooks).toBe(14 * 24);
  const large = sizeOf({ short: false, customers: 300 });
  expect(large.minimums).toMatchObject({ usages: 50_000, renewals: 600, kills: 10 });
  for (const kind of kinds) expect(sizeOf({ short: true }).minimums[kind]).toBeGreaterThan(0);
});
