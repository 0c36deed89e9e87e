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
