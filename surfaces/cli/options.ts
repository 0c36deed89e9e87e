import { audiences } from '../../kernel/caller.ts';

/** 0 done, 1 refused or failed, 2 wrong usage. */
export type ExitCode = 0 | 1 | 2;

/** Options that every command takes. */
export interface OwnOptions {
  json?: boolean;
  server?: string;
  profile?: string;
  watch?: boolean | string;
  yes?: boolean;
  color?: boolean;
  input?: string;
}

/** Whose tools `bss tools` can tell apart. */
export const toolProfiles = audiences.filter((one) => one !== 'system');

/** What can be printed of a file that is taken over row by row. */
export const resultFormats = ['csv', 'ndjson', 'refused', 'none'] as const;
