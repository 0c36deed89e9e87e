import type { Editing, Screen } from './terminal.ts';

// What a person at a real terminal types and sees: the parts of it that need its modes. What reads lines is loaded where
// one is read, for most runs read none.

const columnsDefault = 80;
const rowsDefault = 24;

export function columns(): number {
  return process.stdout.columns || Number(process.env.COLUMNS) || columnsDefault;
}

export function rows(): number {
  return process.stdout.rows || Number(process.env.LINES) || rowsDefault;
}

/** Waits; false when somebody wants to stop. */
export function wait(milliseconds: number, isEarly?: (early: () => void) => () => void): Promise<boolean> {
  return new Promise((resolve) => {
    const stop = () => finish(false);
    const timer = setTimeout(() => finish(true), milliseconds);
    const over = isEarly?.(() => finish(true));
    const finish = (goesOn: boolean) => {
      clearTimeout(timer);
      process.off('SIGINT', stop);
      over?.();
      resolve(goesOn);
    };
    process.once('SIGINT', stop);
  });
}

/** Lines that were pasted behind the one that was read, and what stood behind the last of them. */
const typedAhead: string[] = [];
let begun = '';
/** Ctrl-D came behind them. */
let isOver = false;

// One reader for each line: between two lines the terminal is as commands and their questions expect it.
export async function editLine(prompt: string, editing: Editing): Promise<string | undefined> {
  const ahead = typedAhead.shift();
  if (ahead !== undefined) {
    process.stdout.write(`${prompt}${ahead}\n`);
    return ahead;
  }
  if (isOver) {
    isOver = false;
    process.stdout.write(`${prompt}\n`);
    return undefined;
  }
  const { createInterface, emitKeypressEvents } = await import('node:readline');
  // Begun by a reader, it would take a Tab that comes in one piece with other keys for text, for the first line.
  emitKeypressEvents(process.stdin);
  return new Promise((resolve) => {
    /** What Tab asked for and has not found yet. */
    const asked = new Set<Asked>();
    const sent: { line: string; readonly late: readonly Asked[] }[] = [];
    let isGivenUp = false;
    let isClosed = false;
    const lines = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      prompt,
      history: [...editing.history],
      completer: (line: string, done: (error: null, result: Found) => void) => {
        const one: Asked = { line, found: editing.complete(line).catch(() => [[], line]) };
        asked.add(one);
        void one.found.then((found) => {
          // It goes into no other line than it was asked for.
          const isHere = asked.delete(one);
          if (!isClosed) done(null, isHere ? typedOn(found, line, lines.line.slice(0, lines.cursor)) : [[], line]);
        });
      },
    });
    const allFound = async () => {
      // What was pasted comes in one piece: its other lines are told before this reader is closed.
      await new Promise((told) => setImmediate(told));
      for (const { line, late } of sent) {
        let whole = line;
        for (const one of late) whole = withFound(await one.found, one.line, whole);
        // The reader takes in what was found, and what was typed meanwhile, before it can be closed.
        await Promise.all([...asked].map(({ found }) => found));
        await new Promise((taken) => setImmediate(taken));
        if (isGivenUp) return;
        // It was sent before it was whole: the person sees what is done.
        if (whole !== line && typedAhead.length === 0) process.stdout.write(`\r\u001b[K${prompt}${whole}\n`);
        typedAhead.push(whole);
      }
      begun = lines.line;
      if (begun !== '') process.stdout.write('\r\u001b[K');
      isClosed = true;
      lines.close();
    };
    let ended: Promise<void> | undefined;
    lines.on('line', (line) => {
      // The last first: what stands before it is still as it was asked.
      sent.push({ line, late: [...asked].reverse() });
      asked.clear();
      // Tab stops the reading: whoever waits can give up.
      lines.resume();
      ended ??= allFound();
    });
    lines.once('SIGINT', () => {
      process.stdout.write('^C\n');
      isGivenUp = true;
      lines.close();
    });
    lines.once('close', async () => {
      isOver = ended !== undefined && !isClosed && !isGivenUp;
      isClosed = true;
      if (!isGivenUp) await ended;
      if (isGivenUp) {
        typedAhead.length = 0;
        begun = '';
      } else if (!ended) {
        process.stdout.write('\n');
      }
      resolve(typedAhead.shift() ?? (isGivenUp ? '' : undefined));
    });
    lines.prompt();
    if (begun !== '') lines.write(begun);
    begun = '';
  });
}

/** Words that may stand at the end of a line, and the part of it that they replace. */
type Found = [candidates: string[], replaced: string];

interface Asked {
  /** The line up to where it was asked. */
  readonly line: string;
  readonly found: Promise<Found>;
}

/** A line that was sent before Tab had found: with what it found in its place, where that is one alone. */
export function withFound(found: Found, asked: string, sent: string): string {
  const [candidates, replaced] = typedOn(found, asked, sent);
  const [only] = candidates;
  if (only === undefined || candidates.length > 1) return sent;
  return (sent.slice(0, sent.length - replaced.length) + only).trimEnd();
}

/**
 * What is found may come when more has been typed behind it. The reader would put it over that; it goes where it was asked
 * for, and only what stands alone does.
 * @param asked the line up to where it was asked; `now` the line up to where the person types when it comes.
 */
export function typedOn([found, replaced]: Found, asked: string, now: string): Found {
  if (now === asked) return [found, replaced];
  const [only] = found;
  if (only === undefined || found.length > 1 || !now.startsWith(asked)) return [[], now];
  const behind = now.slice(asked.length);
  // The space between was found with it, and perhaps typed as well.
  return [[only + (only.endsWith(' ') ? behind.trimStart() : behind)], replaced + behind];
}

/** Enters a screen of its own, with no cursor on it and no line that wraps. */
const enterScreen = '\u001b[?1049h\u001b[?25l\u001b[?7l';
/** Gives back what stood there, and cursor and wrapping with it. */
const leaveScreen = '\u001b[?7h\u001b[?25h\u001b[?1049l';

const stopKeys = new Set(['q', 'Q', '\u0003', '\u0004', '\u001b']);

/** A screen of its own over what stands on the terminal. */
export function openScreen(): Screen {
  const input = process.stdin;
  const isKeyed = input.isTTY === true;
  // Whatever ends this process, the terminal gets back what stood on it.
  const restore = () => void process.stdout.write(leaveScreen);
  const end = () => process.exit(1);
  let isStopped = false;
  let early: (() => void) | undefined;
  const key = (keys: Buffer) => {
    if (![...keys.toString()].some((one) => stopKeys.has(one))) return;
    isStopped = true;
    early?.();
  };
  const resized = () => early?.();
  process.once('exit', restore);
  process.once('SIGTERM', end);
  process.once('SIGHUP', end);
  process.stdout.on('resize', resized);
  if (isKeyed) input.setRawMode(true).resume().on('data', key);
  process.stdout.write(enterScreen);
  return {
    rows,
    write: (text) => void process.stdout.write(text),
    wait: async (milliseconds) => {
      if (isStopped) return false;
      const goesOn = await wait(milliseconds, (finish) => {
        early = finish;
        return () => {
          early = undefined;
        };
      });
      return goesOn && !isStopped;
    },
    close: () => {
      process.off('exit', restore);
      process.off('SIGTERM', end);
      process.off('SIGHUP', end);
      process.stdout.off('resize', resized);
      if (isKeyed) input.off('data', key).pause().setRawMode(false);
      restore();
    },
  };
}

/** Asks for something that is not shown as it is typed. */
export async function askSecret(question: string): Promise<string | undefined> {
  const [{ createInterface }, { Writable }] = await Promise.all([import('node:readline'), import('node:stream')]);
  return new Promise((resolve) => {
    process.stderr.write(question);
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
    lines.once('SIGINT', () => lines.close());
    lines.once('close', () => {
      process.stderr.write('\n');
      resolve(undefined);
    });
    lines.question('', (answer) => {
      resolve(answer);
      lines.close();
    });
  });
}

/** Asks one question and reads one line. */
export async function ask(question: string): Promise<string | undefined> {
  const { createInterface } = await import('node:readline');
  return new Promise((resolve) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    lines.once('close', () => resolve(undefined));
    lines.question(question, (answer) => {
      resolve(answer);
      lines.close();
    });
  });
}
