/**
 * Tells whether anything that the outputs depend on has changed since they were made.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const hash = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

/** One line per file, so that two listings are equal exactly when the files are. */
function listing(paths: string[]): string {
  return paths.map((path) => `${path} ${existsSync(path) ? hash(readFileSync(path)) : 'missing'}\n`).join('');
}

function inputs(root: string): string[] {
  const within = (directory: string, suffix: string): string[] =>
    readdirSync(join(root, directory))
      .filter((name) => name.endsWith(suffix) && !name.endsWith('.test.ts'))
      .sort()
      .map((name) => join(root, directory, name));
  const makers = ['ajv', 'ajv-formats', 'openapi-typescript', 'yaml'];
  return [
    ...within('specs', '.yaml'),
    ...within('build/generate', '.ts'),
    ...makers.map((name) => join(root, 'node_modules', name, 'package.json')),
  ];
}

const stampPath = (root: string): string => join(root, 'generated', '.stamp');

/** Whether the outputs named in the stamp are as they were written, from inputs as they are now. */
export function isFresh(root: string): boolean {
  if (!existsSync(stampPath(root))) return false;
  const [inputHash, outputHash, ...outputs] = readFileSync(stampPath(root), 'utf8').trimEnd().split('\n');
  return (
    inputHash === hash(listing(inputs(root))) && outputHash === hash(listing(outputs.map((path) => join(root, path))))
  );
}

/** Remembers the inputs and the outputs, given by their paths below `root`. */
export function writeStamp(root: string, outputs: string[]): void {
  const outputHash = hash(listing(outputs.map((path) => join(root, path))));
  writeFileSync(stampPath(root), `${[hash(listing(inputs(root))), outputHash, ...outputs].join('\n')}\n`);
}

/** Makes the stamp younger than its inputs, for a program that judges by the time of change alone. */
export function touchStamp(root: string): void {
  utimesSync(stampPath(root), new Date(), new Date());
}
