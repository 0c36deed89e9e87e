import type { Terminal } from './terminal.ts';

const shownAfterMs = 400;
const tickMs = 1000;

/** Says on the error stream that something goes on when it takes longer than a moment, for how long, and takes it away again. */
export async function whileWaiting<T>(terminal: Terminal, what: string, work: () => Promise<T>): Promise<T> {
  if (!terminal.isErrorTty) return work();
  const began = Date.now();
  let isShown = false;
  const show = () => {
    const seconds = Math.floor((Date.now() - began) / 1000);
    terminal.error(`\r${what}${seconds > 0 ? ` ${seconds} s` : ''} …\u001b[K`);
    isShown = true;
  };
  let ticks: NodeJS.Timeout | undefined;
  const first = setTimeout(() => {
    show();
    ticks = setInterval(show, tickMs);
  }, shownAfterMs);
  try {
    return await work();
  } finally {
    clearTimeout(first);
    clearInterval(ticks);
    if (isShown) terminal.error('\r\u001b[K');
  }
}
