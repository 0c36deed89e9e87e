import { defineConfig } from 'vitest/config';

/** What `make faults` runs beside the rest: planted faults of proofs that change seldom, which take a gate's time. */
const long = ['browser/planted.test.ts', 'build/prisma/schema-difference.test.ts'];

export default defineConfig({
  test: {
    include: ['**/*.test.ts', '**/*.test.tsx'],
    exclude: ['node_modules', 'dist', 'generated', ...(process.env.AIRTIME_FAULTS === 'all' ? [] : long)],
    globalSetup: ['app/database/vitest-global-setup.ts'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 20_000 } },
    // Many tests wait for processes and clocks: a third worker uses what two leave idle on two cores.
    maxWorkers: 3,
    // Some tests wait for real processes; a machine busy with something else may keep them waiting too long once.
    retry: process.env.CI ? 1 : 0,
  },
});
