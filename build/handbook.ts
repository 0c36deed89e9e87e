import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Chapter, Section } from '../read/handbook/handbook.ts';

// Writes generated/handbook.json: the chapters of docs/handbook/ by their sections, for the search at the terminal and
// by agents. With `--check` nothing is written, and the exit code says whether it is what the chapters make.

const root = resolve(import.meta.dirname, '..');
const place = 'generated/handbook.json';

/** `A card comes first` is `a-card-comes-first`, as the pages at the usual hosts link to it. */
const idOf = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} -]/gu, '')
    .trim()
    .replaceAll(' ', '-');

/** A chapter as it is written: one title, then sections. What stands before the first is a section of the title itself. */
export function readChapter(name: string, text: string): Chapter {
  const title = /^# (.+)$/m.exec(text)?.[1];
  if (title === undefined) throw new Error(`the chapter ${name} has no title`);
  const sections: Section[] = [];
  for (const [index, part] of text.split(/^## /m).entries()) {
    const [heading = '', ...lines] = part.split('\n');
    const body = lines.join('\n').trim();
    const own = index === 0 ? title : heading.trim();
    if (body !== '') sections.push({ id: idOf(own), title: own, text: body });
  }
  return { name, title, sections };
}

export function readChapters(directory = join(root, 'docs/handbook')): Chapter[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.md'))
    .sort()
    .map((file) => readChapter(file.replace(/^\d+-|\.md$/g, ''), readFileSync(join(directory, file), 'utf8')));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const made = `${JSON.stringify({ chapters: readChapters() })}\n`;
  const path = join(root, place);
  const isSame = existsSync(path) && readFileSync(path, 'utf8') === made;
  if (process.argv.includes('--check')) {
    if (!isSame) process.stderr.write(`${place} is not what the chapters make. Run: make generate\n`);
    process.exitCode = isSame ? 0 : 1;
  } else if (!isSame) writeFileSync(path, made);
}
