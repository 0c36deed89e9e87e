import type { MachineClock } from '../kernel/clock.ts';

export interface Loop {
  /** Begins the next round at once. */
  wake(): void;
  start(): void;
  /** Lets the round in hand finish, and begins no other. */
  stop(): Promise<void>;
}

/**
 * Runs rounds one after another: the next at once while a round finds something to do, otherwise after a pause or when
 * woken. A round that fails is told to `failed` and tried again after the pause.
 */
export function makeLoop(
  clock: MachineClock,
  pauseMs: number,
  round: () => Promise<boolean>,
  failed: (error: unknown) => void,
): Loop {
  let stopping = false;
  let isWoken = false;
  let running: Promise<void> | undefined;
  let endPause: (() => void) | undefined;

  async function run(): Promise<void> {
    while (!stopping) {
      isWoken = false;
      let found = false;
      try {
        found = await round();
      } catch (error) {
        failed(error);
        // A database that is away is not asked again at once, whoever wakes us.
        isWoken = false;
      }
      if (found || isWoken || stopping) continue;
      const pause = new AbortController();
      endPause = () => pause.abort();
      await clock.sleep(pauseMs, pause.signal);
      endPause = undefined;
    }
  }

  return {
    wake() {
      isWoken = true;
      endPause?.();
    },
    start() {
      running ??= run();
    },
    async stop() {
      stopping = true;
      endPause?.();
      await running;
    },
  };
}
