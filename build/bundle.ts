import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

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

/** Data is read as JSON, which takes a tenth of the time that the same data takes as a program. */
const jsonAsText: Plugin = {
  name: 'json-as-text',
  setup: ({ onLoad }) => {
    onLoad({ filter: /[\\/]generated[\\/](tools|front-page)\.json$/ }, ({ path }) => {
      const compact = JSON.stringify(JSON.parse(readFileSync(path, 'utf8')));
      return { contents: `export default JSON.parse(${JSON.stringify(compact)});`, loader: 'js' };
    });
  },
};

const startIsAPiece: Plugin = {
  name: 'start-is-a-piece',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^\.\/start\.ts$/ }, () => ({ path: './pieces/bss-start.js', external: true }));
  },
};

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
  // The terminal begins with one small file that knows the front pages. The rest holds its packages and comes in pieces
  // that are loaded when they are needed, so that it answers at once. What only `bss mcp` needs stays in node_modules.
  build({
    ...shared,
    entryPoints: { bss: 'surfaces/cli/main.ts' },
    outdir: 'dist',
    minify: true,
    plugins: [jsonAsText, startIsAPiece],
    banner: { js: '#!/usr/bin/env node' },
  }),
  build({
    ...shared,
    entryPoints: { 'bss-start': 'surfaces/cli/start.ts' },
    outdir: 'dist/pieces',
    splitting: true,
    chunkNames: 'bss-[name]-[hash]',
    minify: true,
    keepNames: true,
    plugins: [jsonAsText],
    external: ['@modelcontextprotocol/*'],
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  }),
]);
// Read by `bss tools` alone: the whole list with every schema is too heavy to be a part of the program.
copyFileSync(`${root}generated/tools-whole.json`, `${root}dist/tools.json`);
// What the pages for people load beside themselves is sent as it was written.
mkdirSync(`${root}dist/portal`, { recursive: true });
for (const place of ['surfaces/portal/style', 'surfaces/portal/script']) {
  for (const file of readdirSync(`${root}${place}`))
    copyFileSync(`${root}${place}/${file}`, `${root}dist/portal/${file}`);
}
for (const file of ['airtime.js', 'bss.js', 'sandbox.js']) chmodSync(`${root}dist/${file}`, 0o755);
