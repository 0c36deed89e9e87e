import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Beside the compiled program's folder or a piece of it, or above the sources. */
function directory(): string | undefined {
  return ['../docs', '../../docs']
    .map((candidate) => fileURLToPath(new URL(candidate, import.meta.url)))
    .find((path) => existsSync(join(path, 'integrators.md')));
}

export interface Page {
  /** `integrators` */
  name: string;
  title: string;
  read(): string;
}

/** The pages of the handbook, read from disk when they are asked for. */
export function handbook(at: string | undefined = directory()): Page[] {
  if (at === undefined) return [];
  return readdirSync(at)
    .filter((file) => file.endsWith('.md'))
    .sort()
    .map((file) => {
      const read = () => readFileSync(join(at, file), 'utf8');
      const name = file.slice(0, -'.md'.length);
      return { name, title: /^# (.+)$/m.exec(read())?.[1] ?? name, read };
    });
}
