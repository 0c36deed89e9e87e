/**
 * `npx tsx build/generate/main.ts` makes what is missing or stale in `generated/`; with `--check` it writes nothing and
 * fails where a file on disk is not what the contracts make.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isFresh, touchStamp, writeStamp } from './stamp.ts';

const root = resolve(import.meta.dirname, '../..');
const isCheck = process.argv.includes('--check');

const onDisk = (path: string): string | null => {
  const full = join(root, path);
  return existsSync(full) ? readFileSync(full, 'utf8') : null;
};

async function generate(): Promise<void> {
  if (isFresh(root)) {
    if (!isCheck) touchStamp(root);
    console.log('generated: nothing has changed');
    return;
  }
  // The makers take a second to load, so they are loaded only when there is something to make.
  const { makeOutputs } = await import('./outputs.ts');
  const started = performance.now();
  const outputs = await makeOutputs(root);
  const stale = [...outputs].filter(([path, text]) => onDisk(path) !== text);
  if (isCheck) {
    // What is not committed may be missing in a fresh clone; what is committed must be there and the same.
    const wrong = stale.filter(([path]) => path.startsWith('generated/openapi/') || onDisk(path) !== null);
    for (const [path] of wrong) console.error(`${path} is not what the contracts make: run make generate`);
    process.exitCode = wrong.length > 0 ? 1 : 0;
    return;
  }
  for (const [path, text] of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  writeStamp(root, [...outputs.keys()]);
  console.log(
    `generated: ${stale.length} of ${outputs.size} files written in ${Math.round(performance.now() - started)} ms`,
  );
}

await generate();
