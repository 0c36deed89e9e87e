/**
 * `npx tsx build/client/main.ts` makes `generated/client.ts`; with `--check` it writes nothing and fails where the file
 * is not what the contracts make. With `--pack` it also leaves the client in `dist/client/` as a package that can be
 * installed elsewhere.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { clientTypes } from './client-types.ts';

const root = resolve(import.meta.dirname, '../..');
const path = join(root, 'generated/client.ts');
const made = clientTypes();
const isMade = existsSync(path) && readFileSync(path, 'utf8') === made;

if (process.argv.includes('--check')) {
  if (!isMade && existsSync(path)) {
    process.stderr.write('generated/client.ts is not what the contracts make. Run: make generate\n');
    process.exitCode = 1;
  }
} else if (!isMade) {
  writeFileSync(path, made);
  process.stdout.write('generated/client.ts: written\n');
}
if (process.argv.includes('--pack')) {
  const { packClient } = await import('./pack.ts');
  await packClient(root);
}
