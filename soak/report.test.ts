import { expect, test } from 'vitest';
import { judge } from './gates.ts';
import { reportName, reportOf, thinned } from './report.ts';
import type { Outcome } from './run.ts';
import { sizeOf } from './size.ts';

const size = sizeOf({ short: false });
const outcome: Outcome = {
  figures: {
    counts: { ...size.minimums },
    trips: [],
    refusals: size.minimums.probes,
    notRefused: [],
    leaks: [],
    turns: { sent: 300, answered: 300, missing: 0, surplus: 0, otherTokens: 0 },
    chat: [{ model: 'a-model', surface: 'chat', count: 300, p50: 20, p99: 90, longest: 100 }],
    lost: [],
    errors: [],
    breaches: [],
    renewals: { due: 60, once: 60, wrong: [] },
    memory: Array.from({ length: 9 }, (_, place) => ({ hour: 8 * place, life: 0, serverMb: 120, databaseMb: 60 })),
    tables: [
      { hour: 24, acknowledged: 10, databaseMb: 20, passing: 5, largest: [{ table: 'event', kb: 2048, rows: 99 }] },
      { hour: 48, acknowledged: 5010, databaseMb: 60, passing: 5, largest: [] },
    ],
    times: [{ surface: 'tmf', count: 100, p50: 8, p99: 60, longest: 70 }],
  },
  kills: [{ hour: 5, victim: 'server', startMs: 1200, underWay: 2, unanswered: 4 }],
  faults: { outside: 70, mail: 20, model: 10 },
  days: 68,
  steps: 552,
  seconds: 420,
  unanswered: 40,
  later: 1,
  putOff: 3,
  postgres: '18.4',
};
const machine = { cores: 2, model: 'Some CPU', memoryGb: 24, node: '20.20.0', postgres: '18.4' };

test('a report says what was run, on what, what each gate said, and what canaries did', () => {
  const told = { size, seed: 7, commit: 'abc123', isPassed: true, below: [], gates: judge(outcome.figures) };
  const text = reportOf(outcome, told, { machine, canaries: 'eleven were caught' });
  for (const part of [
    'Passed: 30 customers',
    '| Seed | 7 |',
    'abc123',
    '2 cores',
    'a-model',
    'eleven were caught',
    '| usages | 5000 | 5000 |',
  ])
    expect(text).toContain(part);
  expect(text).not.toMatch(/\/(home|tmp|root|work)\//);
  for (const { gate } of told.gates) expect(text).toContain(`| ${gate} | held |`);
});

test('a run that is void says so, and of what there was too little', () => {
  const told = {
    size,
    seed: 7,
    commit: 'abc123',
    isPassed: false,
    below: ['kills: 3 of at least 10'],
    gates: judge(outcome.figures),
  };
  const text = reportOf(outcome, told, { machine, canaries: undefined });
  expect(text).toContain('NOT passed');
  expect(text).toContain('VOID: kills: 3 of at least 10');
});

test('the report is named after the release that it is for', () => {
  expect(reportName).toMatch(/^report-v\d+\.\d+\.md$/);
});

test('a list is thinned evenly, with its first and last', () => {
  expect(thinned([1, 2, 3, 4, 5, 6, 7, 8, 9], 3)).toEqual([1, 5, 9]);
  expect(thinned([1, 2], 3)).toEqual([1, 2]);
});
