import { UsageError } from './input.ts';
import type { ExitCode } from './options.ts';
import { painter } from './render/frame.ts';
import type { Terminal } from './terminal.ts';

const secondsDefault = 2;
const secondsMin = 0.2;

type Show = (height?: number) => Promise<{ code: ExitCode; text: string }>;

/**
 * Shows a thing again as it changes, until the person wants to stop or it is refused. On a terminal it has a screen of
 * its own, drawn over line by line; in a pipe each change follows the one before.
 * @param isPassing the picture is not left behind when its screen closes
 */
export async function watch(
  once: Show,
  given: boolean | string,
  terminal: Terminal,
  isPassing: boolean,
): Promise<ExitCode> {
  const seconds = typeof given === 'string' ? Number(given) : secondsDefault;
  if (!(seconds >= secondsMin))
    throw new UsageError(`--watch: "${given}" is not a number of seconds of at least ${secondsMin}.`);
  return terminal.isOutputTty && terminal.openScreen
    ? onScreen(once, seconds * 1000, terminal, terminal.openScreen, isPassing)
    : inPipe(once, seconds * 1000, terminal);
}

async function inPipe(once: Show, waitMs: number, terminal: Terminal): Promise<ExitCode> {
  let shown: string | undefined;
  for (;;) {
    const { code, text } = await once();
    if (code !== 0) return code;
    if (text !== shown) terminal.out(text);
    shown = text;
    if (!(await terminal.pause(waitMs))) return 0;
  }
}

async function onScreen(
  once: Show,
  waitMs: number,
  terminal: Terminal,
  openScreen: NonNullable<Terminal['openScreen']>,
  isPassing: boolean,
): Promise<ExitCode> {
  let screen: ReturnType<typeof openScreen> | undefined;
  let last = '';
  try {
    const paint = painter();
    for (;;) {
      // The first answer may be a failure, which needs no screen.
      const { code, text } = await once(screen?.rows() ?? terminal.rows?.());
      if (code !== 0) return code;
      screen ??= openScreen();
      last = text;
      const bytes = paint(text, { columns: terminal.columns(), rows: screen.rows() });
      if (bytes !== '') screen.write(bytes);
      if (!(await screen.wait(waitMs))) return 0;
    }
  } finally {
    screen?.close();
    if (screen && !isPassing) terminal.out(last);
  }
}
