import { chmodSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

// Compiles what is shipped: dist/airtime.js and dist/bss.js, with their own pieces, and packages left to node_modules.

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });

const shared = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: true,
  logLevel: 'warning',
} as const;

await Promise.all([
  build({
    ...shared,
    entryPoints: { airtime: 'app/main.ts', sandbox: 'adapters/sandbox/main.ts' },
    outdir: 'dist',
    splitting: true,
    chunkNames: 'pieces/[name]-[hash]',
    packages: 'external',
    banner: { js: '#!/usr/bin/env node' },
  }),
  // The terminal is one file with all it needs, so that it answers at once. What only `bss mcp` needs is left out and
  // loaded by it.
  build({
    ...shared,
    entryPoints: { bss: 'surfaces/cli/main.ts' },
    outdir: 'dist',
    minifySyntax: true,
    external: ['@modelcontextprotocol/*'],
    banner: {
      js: '#!/usr/bin/env node\nimport { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  }),
]);
for (const file of ['airtime.js', 'bss.js', 'sandbox.js']) chmodSync(`${root}dist/${file}`, 0o755);
