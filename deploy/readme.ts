import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './processes.ts';

/** The shell blocks of `deploy/README.md` under a heading, in order; none where there is no such heading. */
export function blocksUnder(heading: string): string[] {
  const sections = readFileSync(join(root, 'deploy/README.md'), 'utf8').split(/^## /m);
  const section = sections.find((text) => text.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);
}
