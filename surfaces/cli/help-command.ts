import type { Command } from 'commander';
import { asJson } from './as-json.ts';
import { UsageError } from './input.ts';
import { type Terminal, wantsColor } from './terminal.ts';

interface HelpOptions {
  json?: boolean;
  color?: boolean;
}

const foundMax = 3;

/** `bss help`: the handbook at the terminal. It asks no server. */
export function helpCommand(help: Command, search: Command, terminal: Terminal, usage: () => string): Command {
  const styleOf = (options: HelpOptions) => ({
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
      const [{ searchHandbook }, { drawFound }] = await Promise.all([
        import('../../read/handbook/handbook.ts'),
        import('./help.ts'),
      ]);
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
      const [{ chapters }, { drawChapter, drawChapters }] = await Promise.all([
        import('../../read/handbook/handbook.ts'),
        import('./help.ts'),
      ]);
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
      terminal.out(options.json ? asJson(chapter) : drawChapter(chapter, styleOf(options)));
    });
}
