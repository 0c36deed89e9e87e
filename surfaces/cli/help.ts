import type { Chapter, Found } from '../../read/handbook/handbook.ts';
import { paintOf } from './render/paint.ts';
import { type Style, wrap } from './render/text.ts';

export function drawChapters(items: readonly { chapter: string; title: string }[], style: Style): string {
  const paint = paintOf(style.color);
  const width = Math.max(...items.map(({ chapter }) => chapter.length));
  return [
    'Handbook:',
    ...items.map(({ chapter, title }) => `  ${paint.accent(chapter.padEnd(width))}  ${title}`),
    paint.quiet('One of them: bss help selling. To find something: bss help search renewal declined'),
    '',
  ].join('\n');
}

export function drawFound(items: readonly Found[], style: Style): string {
  const paint = paintOf(style.color);
  if (items.length === 0) return `${paint.quiet('The handbook says nothing of it. Its chapters: bss help')}\n`;
  return items
    .map(({ cite, chapter, section, text }) =>
      [`${paint.strong(section)} ${paint.quiet(`(${chapter}; ${cite})`)}`, ...drawText(text, style), ''].join('\n'),
    )
    .join('\n');
}

/** One chapter, section by section. */
export function drawChapter({ sections }: Chapter, style: Style): string {
  const paint = paintOf(style.color);
  const drawn = sections.flatMap(({ title, text }) => [paint.strong(title), ...drawText(text, style), '']);
  return `${drawn.join('\n')}\n`;
}

/** Markdown as a terminal shows it: paragraphs wrapped, commands indented as they are typed. */
function drawText(text: string, style: Style): string[] {
  const paint = paintOf(style.color);
  return text.split('\n\n').flatMap((block, index) => {
    const lines = block.startsWith('```')
      ? block
          .split('\n')
          .filter((line) => !line.startsWith('```'))
          .map((line) => `    ${paint.accent(line)}`)
      : wrap(block.replaceAll('\n', ' ').replaceAll('`', ''), style.width - 2).map((line) => `  ${line}`);
    return index === 0 ? lines : ['', ...lines];
  });
}
