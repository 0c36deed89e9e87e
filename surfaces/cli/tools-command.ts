import type { Command } from 'commander';
import { audiences } from '../../kernel/caller.ts';
import type { Terminal } from './terminal.ts';

export interface ToolsOptions {
  json?: boolean;
  color?: boolean;
  audience?: string;
}

/** Whom tools are for. */
export const toolProfiles = audiences.filter((one) => one !== 'system');

/** `bss tools`: every command and query of the system, whoever it is for. */
export function toolsCommand(command: Command, terminal: Terminal): Command {
  return command
    .summary('every command and query of the system, as tools')
    .description(
      'List every command and query of the system: what it takes, what it answers, whom it is for, what may refuse it.',
    )
    .argument('[search]', 'part of a name or of what it does')
    .option('--audience <audience>', `only what ${toolProfiles.join(', ')} has, and what its agent is shown unasked`)
    .addHelpText(
      'after',
      '\nExamples:\n  bss tools\n  bss tools ticket --audience customer\n  bss tools --json > tools.json',
    )
    .action(async (search: string | undefined, _options, own: Command) => {
      const { listTools } = await import('./tools.ts');
      terminal.out(listTools(search ?? '', own.optsWithGlobals<ToolsOptions>(), terminal));
    });
}
