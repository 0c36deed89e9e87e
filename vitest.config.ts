import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts', '**/*.test.tsx'],
    exclude: ['node_modules', 'dist', 'generated'],
    globalSetup: ['app/database/vitest-global-setup.ts'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    // Some tests wait for real processes; a machine busy with something else may keep them waiting too long once.
    retry: process.env.CI ? 1 : 0,
  },
});
