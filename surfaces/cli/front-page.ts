import { type Terminal, wantsColor } from './terminal.ts';

/**
 * What is asked of `bss` before anything else, made at build time by the program itself: its help, the chapters of the
 * handbook behind it, and its version. Printing it needs neither the list of tools nor whatever makes help of it.
 */
export interface FrontPages {
  readonly version: string;
  /** The lines that occur in any of the pages. */
  readonly lines: readonly string[];
  readonly help: readonly FrontPage[];
  readonly handbook: readonly FrontPage[];
  readonly coloredHandbook: readonly FrontPage[];
}

/** How a page looks from a width up to that of the next: the places of its lines. */
interface FrontPage {
  readonly fromWidth: number;
  readonly lines: readonly number[];
}

type Reader = Pick<Terminal, 'env' | 'columns' | 'isInputTty' | 'isOutputTty'>;

/** What this command line prints, where that is known beforehand; undefined where the program has to be asked. */
export function frontPage(pages: FrontPages, args: readonly string[], reader: Reader): string | undefined {
  const [asked, ...more] = args;
  if (more.length > 0) return undefined;
  const show = (looks: readonly FrontPage[]): string => {
    const width = reader.columns();
    const look = looks.findLast(({ fromWidth }) => fromWidth <= width) ?? looks[0];
    return (look?.lines ?? []).map((line) => pages.lines[line] ?? '').join('\n');
  };
  // Between two terminals it opens the console.
  if (asked === undefined) return reader.isInputTty && reader.isOutputTty ? undefined : show(pages.help);
  if (asked === '--help' || asked === '-h') return show(pages.help);
  if (asked === '--version') return `${pages.version}\n`;
  return asked === 'help' ? show(wantsColor(reader, true) ? pages.coloredHandbook : pages.handbook) : undefined;
}
