/** Where import and export jobs find and leave their files. A path is relative to one folder and never leads out of it. */
export interface JobFiles {
  /** The text of a file. Throws `JobFileError` when it cannot be had. */
  read(path: string): Promise<string>;
  /**
   * Writes a new file, whole or not at all. The same text may be written again; another text under a path that is
   * taken throws `JobFileError`.
   */
  write(path: string, text: string): Promise<void>;
}

/** What a person who asked for a job should be told about its file. */
export class JobFileError extends Error {
  override readonly name = 'JobFileError';
}
