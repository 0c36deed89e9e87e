import type { Command } from 'commander';
import type { Verb } from './descriptors.ts';
import type { Terminal } from './terminal.ts';

export interface RowsOptions {
  server?: string;
  color?: boolean;
  json?: boolean;
  to?: string;
}

/** A kind of file, row by row, and the tool that takes its rows. */
export interface RowImport {
  readonly noun: string;
  readonly tool: string;
  readonly summary: string;
  /** Columns that it must have, and those that it may have. Others are not sent. */
  readonly needs: readonly string[];
  readonly may: readonly string[];
  readonly example: string;
}

export const rowImports: readonly RowImport[] = [
  {
    noun: 'customer',
    tool: 'customer.import',
    summary: 'Sign up the customers of a CSV file',
    needs: ['givenName', 'familyName', 'email'],
    may: ['phone', 'key'],
    example: 'bss customer import customers.csv --to refused',
  },
  {
    noun: 'number',
    tool: 'number.import',
    summary: 'Load the numbers of a CSV file',
    needs: ['msisdn'],
    may: [],
    example: 'bss number import numbers.csv',
  },
];

export const resultFormats = ['csv', 'ndjson', 'refused', 'none'] as const;

/** `bss customer import`, `bss number import`: takes the place of the verb of its tool, which takes rows and no file. */
export function rowImportCommand(
  made: Command,
  what: RowImport,
  verbs: readonly Verb[],
  terminal: Terminal,
  done: (code: 0 | 1) => void,
): Command {
  return made
    .summary(what.summary)
    .description(
      `${verbs.find(({ name }) => name === what.tool)?.summary ?? what.summary}. Reads a CSV file and prints what became of each row. Its first line names the columns: ${[...what.needs, ...what.may.map((name) => `${name} (optional)`)].join(', ')}. A file that was broken off is sent again whole: what was done is known, and not done twice.`,
    )
    .argument('<file>', 'the file, or - for standard input')
    .option('--to <format>', `what is printed: ${resultFormats.join(', ')} (csv when not given)`)
    .addHelpText('after', `\nExamples:\n  ${what.example}`)
    .action(async (path: string, _options, own: Command) => {
      const { importRows } = await import('./import-rows.ts');
      done(await importRows(path, what, verbs, own.optsWithGlobals<RowsOptions>(), terminal));
    });
}
