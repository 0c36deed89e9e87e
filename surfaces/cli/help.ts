import type { Command } from 'commander';
import type { Found } from '../../read/handbook/handbook.ts';
import { UsageError } from './input.ts';
import { paintOf } from './render/paint.ts';
import { type Style, wrap } from './render/text.ts';
import { type Terminal, wantsColor } from './terminal.ts';

interface HelpOptions {
  json?: boolean;
  color?: boolean;
}

const foundMax = 3;

/** `bss help`: the handbook at the terminal. It asks no server. */
export function helpCommand(
  help: Command,
  search: Command,
  terminal: Terminal,
  asJson: (value: unknown) => string,
  usage: () => string,
): Command {
  const styleOf = (options: HelpOptions): Style => ({
    width: Math.min(terminal.columns(), 100),
    color: wantsColor(terminal, options.color !== false),
  });
  search
    .summary('search the handbook')
    .description('Search the handbook and show the sections that say most about it.')
    .argument('<words...>')
    .addHelpText('after', '\nExamples:\n  bss help search renewal declined\n  bss help search "what unblocks a line"')
    .action(async (words: readonly string[], _options, own: Command) => {
      const options = own.optsWithGlobals<HelpOptions>();
      const { searchHandbook } = await import('../../read/handbook/handbook.ts');
      const items = searchHandbook(words.join(' '), foundMax);
      terminal.out(options.json ? asJson({ items }) : drawFound(items, styleOf(options)));
    });
  return help
    .summary('the handbook: its chapters, one of them, or what is found in it')
    .description('Show the chapters of the handbook, or one of them.')
    .argument('[chapter]')
    .addHelpText('after', '\nExamples:\n  bss help\n  bss help selling\n  bss help search renewal declined')
    .addCommand(search)
    .action(async (name: string | undefined, _options, own: Command) => {
      const options = own.optsWithGlobals<HelpOptions>();
      const { chapters } = await import('../../read/handbook/handbook.ts');
      if (name === undefined) {
        const items = chapters.map(({ name: chapter, title, sections }) => ({
          chapter,
          title,
          sections: sections.map((section) => section.title),
        }));
        terminal.out(options.json ? asJson({ items }) : `${usage()}\n${drawChapters(items, styleOf(options))}`);
        return;
      }
      const chapter = chapters.find((one) => one.name === name);
      if (chapter === undefined) {
        throw new UsageError(`help: there is no chapter ${name}. Try: bss help search ${name}`);
      }
      const style = styleOf(options);
      const paint = paintOf(style.color);
      const drawn = chapter.sections.flatMap(({ title, text }) => [paint.strong(title), ...drawText(text, style), '']);
      terminal.out(options.json ? asJson(chapter) : `${drawn.join('\n')}\n`);
    });
}

function drawChapters(items: readonly { chapter: string; title: string }[], style: Style): string {
  const paint = paintOf(style.color);
  const width = Math.max(...items.map(({ chapter }) => chapter.length));
  return [
    'Handbook:',
    ...items.map(({ chapter, title }) => `  ${paint.accent(chapter.padEnd(width))}  ${title}`),
    paint.quiet('One of them: bss help selling. To find something: bss help search renewal declined'),
    '',
  ].join('\n');
}

function drawFound(items: readonly Found[], style: Style): string {
  const paint = paintOf(style.color);
  if (items.length === 0) return `${paint.quiet('The handbook says nothing of it. Its chapters: bss help')}\n`;
  return items
    .map(({ cite, chapter, section, text }) =>
      [`${paint.strong(section)} ${paint.quiet(`(${chapter}; ${cite})`)}`, ...drawText(text, style), ''].join('\n'),
    )
    .join('\n');
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
