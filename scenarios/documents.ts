import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// The commands in what people read, and who runs each. A block that is not marked is run; one that cannot be is marked in
// the line that opens it, with the reason: ```sh not run: it needs systemd

/**
 * `walk`: the walk of the README (`readme.test.ts`). `guide`: the guide for integrators (`build/reference/guide.test.ts`).
 * `typed`: lines for the terminal, with the ids that a reader would see (`handbook.test.ts`). `shell`: anything else, as it is
 * printed, beside a server (`documents.test.ts`).
 */
export type Runner = 'walk' | 'guide' | 'typed' | 'shell';

export interface Block {
  readonly file: string;
  /** The heading that it stands under. */
  readonly heading: string;
  readonly text: string;
  readonly run: { readonly by: Runner } | { readonly not: string };
}

export interface Document {
  readonly file: string;
  readonly text: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const unread = new Set(['node_modules', 'generated', 'dist', 'decisions', 'gallery', 'coverage']);

/** The part of the README that is a walk from its first command to its last. */
export const walkHeading = 'From catalogue to blocked and back, with curl';

/** Everything that is written for people, but for the records of decisions. */
export function readDocuments(folder = root): Document[] {
  const files = (under: string): string[] =>
    readdirSync(join(folder, under), { withFileTypes: true }).flatMap((entry) => {
      const path = under === '' ? entry.name : `${under}/${entry.name}`;
      if (entry.isDirectory()) return entry.name.startsWith('.') || unread.has(entry.name) ? [] : files(path);
      return entry.name.endsWith('.md') ? [path] : [];
    });
  return files('')
    .sort()
    .map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') }));
}

const shells = /^(sh|bash|zsh|shell|console|terminal)\b/;

/** The shell blocks of a document, in order. @throws at one of which it cannot be told how it is to be run */
export function blocksOf({ file, text }: Document): Block[] {
  const blocks: Block[] = [];
  let heading = '';
  let open: { info: string; lines: string[] } | undefined;
  for (const line of text.split('\n')) {
    if (open) {
      if (line !== '```') {
        open.lines.push(line);
        continue;
      }
      if (shells.test(open.info)) blocks.push(blockOf(file, heading, open.info, open.lines));
      open = undefined;
    } else if (line.startsWith('```')) open = { info: line.slice(3).trim(), lines: [] };
    else if (/^#{1,6} /.test(line)) heading = line.replace(/^#+ /, '');
  }
  if (open) throw new Error(`${file}: the block "${open.lines[0] ?? ''}" does not end`);
  return blocks;
}

function blockOf(file: string, heading: string, info: string, lines: readonly string[]): Block {
  const text = `${lines.join('\n')}\n`;
  const reason = /^sh not run: (.{10,})$/.exec(info)?.[1];
  if (reason !== undefined) return { file, heading, text, run: { not: reason } };
  if (info !== 'sh')
    throw new Error(
      `${file}, under "${heading}": a block that begins with \`\`\`${info}. Write \`\`\`sh for one that is run, and \`\`\`sh not run: <why> for one that cannot be.`,
    );
  return { file, heading, text, run: { by: runnerOf(file, heading, lines) } };
}

function runnerOf(file: string, heading: string, lines: readonly string[]): Runner {
  if (file === 'docs/integrators.md') return 'guide';
  if (file === 'README.md' && heading === walkHeading) return 'walk';
  return lines.every((line) => line === '' || line.startsWith('bss ')) ? 'typed' : 'shell';
}

export function blocksFor(runner: Runner, documents: readonly Document[] = readDocuments()): Block[] {
  return documents.flatMap(blocksOf).filter(({ run }) => 'by' in run && run.by === runner);
}

/** The verbs of `bss` that sentences mention: `bss subscription replace-esim`. */
export function mentionsOf({ text }: Document): string[] {
  return [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/`(bss [^`]+)`/g)].map(([, line = '']) =>
    line.replaceAll('\n', ' '),
  );
}
