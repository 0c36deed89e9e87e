import type { AgentDoor } from '../../tools/agent-door.ts';

/** Where a run of the terminal reads and writes. Tests give their own. */
export interface Terminal {
  /** The folder the command was typed in. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isInputTty: boolean;
  readonly isOutputTty: boolean;
  readonly isErrorTty: boolean;
  /** Columns of the output; 80 when nobody knows. */
  columns(): number;
  out(text: string): void;
  error(text: string): void;
  /** A whole file, or standard input for `-`. */
  readFile(path: string): string;
  /** The lines of a file, or of standard input for `-`, as they come: a file may be larger than memory. */
  readLines(path: string): AsyncIterable<string>;
  /** How large a file is, where that is known: a stream has no size. */
  readonly fileBytes?: (path: string) => number | undefined;
  /** Asks a person one question and reads one line; undefined when the input ended. */
  ask(question: string): Promise<string | undefined>;
  /** Waits, or returns early with false when the person wants to stop. */
  pause(milliseconds: number): Promise<boolean>;
  readonly fetch: typeof fetch;
  /** The whole list of tools as the build left it, parsed; undefined where there is none. */
  readonly readTools?: () => unknown;
  /** Lines of the output, where it is a terminal. */
  rows?(): number;
  /** Asks for something that is not shown as it is typed; undefined where nobody types. */
  readonly askSecret?: (question: string) => Promise<string | undefined>;
  /** Reads one line that a person edits; undefined when the input ended, empty when they gave the line up. */
  readonly editLine?: (prompt: string, editing: Editing) => Promise<string | undefined>;
  /** A screen of its own over what stands on the terminal; undefined where the output is none. */
  readonly openScreen?: () => Screen;
  /** Serves an agent over standard input and output until the input ends; undefined where there is none. */
  readonly serveAgent?: (door: AgentDoor, secret: string) => Promise<void>;
}

/** What helps a person to type a line. */
export interface Editing {
  /** Lines that were typed before, the latest first. */
  readonly history: readonly string[];
  /** What may stand for the word that is being typed: the words, and the part of the line that they replace. */
  complete(line: string): Promise<[candidates: string[], replaced: string]>;
}

export interface Screen {
  rows(): number;
  write(text: string): void;
  /** Waits, less long when the terminal changed its size; false when the person wants to stop. */
  wait(milliseconds: number): Promise<boolean>;
  /** Gives back what stood there. */
  close(): void;
}

/** Colour only where a person looks, and has not said no. */
export function wantsColor(terminal: Pick<Terminal, 'env' | 'isOutputTty'>, flag: boolean): boolean {
  const { NO_COLOR, TERM } = terminal.env;
  return flag && terminal.isOutputTty && (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb';
}
