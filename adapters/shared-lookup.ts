/** Finds something by name; may take long. */
type Lookup<T> = (name: string) => Promise<T>;

const failureKeptMs = 5000;
const runningMax = 2;
const waitingMax = 64;

/**
 * Lets a slow name server slow only those who asked for its names. The system's look-up holds one of the few threads
 * that files and hashes need too, and cannot be called off: so one look-up serves all who ask for a name meanwhile, two
 * run at a time, and a failure is remembered for some seconds.
 */
export function sharedLookup<T>(lookup: Lookup<T>): Lookup<T> {
  const known = new Map<string, Promise<T>>();
  const waiting: (() => void)[] = [];
  let running = 0;

  async function turn(name: string): Promise<T> {
    if (running >= runningMax) {
      if (waiting.length >= waitingMax) throw new Error('too many names are being looked up');
      await new Promise<void>((go) => waiting.push(go));
    } else running += 1;
    try {
      return await lookup(name);
    } finally {
      const next = waiting.shift();
      // A place is handed on, not given back, so that nobody slips in between.
      if (next) next();
      else running -= 1;
    }
  }

  return (name) => {
    const found = known.get(name);
    if (found) return found;
    const asked = turn(name);
    known.set(name, asked);
    asked.then(
      () => known.delete(name),
      () => setTimeout(() => known.delete(name), failureKeptMs).unref(),
    );
    return asked;
  };
}
