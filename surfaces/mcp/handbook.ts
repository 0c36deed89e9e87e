import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chapters } from '../../read/handbook/handbook.ts';

/** Beside the compiled program's folder or a piece of it, or above the sources. */
function directory(): string | undefined {
  return ['../docs', '../../docs']
    .map((candidate) => fileURLToPath(new URL(candidate, import.meta.url)))
    .find((path) => existsSync(join(path, 'integrators.md')));
}

export interface Page {
  /** `selling`, a chapter for operators; or `integrators`, the guide for them. */
  name: string;
  title: string;
  /** What a list says of it: the sections. */
  about: string;
  read(): string;
}

/** The chapters of the handbook in order, then the guides beside it, read from disk when they are asked for. */
export function handbook(at: string | undefined = directory()): Page[] {
  const own = chapters.map(({ name, title, sections }) => ({
    name,
    title,
    about: sections.map((section) => section.title).join('; '),
    read: () =>
      sections
        .map(
          (section, index) =>
            `${index === 0 && section.title === title ? '#' : '##'} ${section.title}\n\n${section.text}`,
        )
        .join('\n\n'),
  }));
  if (at === undefined) return own;
  const guides = readdirSync(at)
    .filter((file) => file.endsWith('.md'))
    .sort()
    .map((file) => {
      const read = () => readFileSync(join(at, file), 'utf8');
      const name = file.slice(0, -'.md'.length);
      return { name, title: /^# (.+)$/m.exec(read())?.[1] ?? name, about: 'A guide', read };
    });
  return [...own, ...guides];
}
