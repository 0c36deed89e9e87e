/**
 * `npx tsx build/reference/main.ts` writes the reference for integrators into `dist/docs/`: pages, style, search and
 * the contracts. The server sends these files as they are, so that they cost it no memory.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { makeFiles } from './files.ts';

const target = resolve(import.meta.dirname, '../../dist/docs');
const files = await makeFiles();
rmSync(target, { recursive: true, force: true });
for (const [name, text] of files) {
  const path = join(target, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
const bytes = [...files.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
process.stdout.write(`dist/docs: ${files.size} files, ${Math.round(bytes / 1024)} KiB\n`);
