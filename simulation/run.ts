import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const tally = z.array(z.tuple([z.string(), z.number()]));

const ready = z.strictObject({ ready: z.literal(true) });

/** A count from the command line. @throws RangeError for what would play nothing and pass. */
export function countOf(given: string, name: string): number {
  const count = Number(given);
  if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`${name}: ${given} is no count from 1 up.`);
  return count;
}

/** What a job tells of a seed that has ended. */
export const toldSeed = z.object({
  seed: z.number(),
  hash: z.string(),
  trace: z.array(z.string()),
  violation: z.object({ invariant: z.string(), message: z.string() }).optional(),
  numbers: z.object({ turns: z.number(), deliveries: z.number(), simulatedMs: z.number() }),
  stepsRun: tally,
  actions: tally,
  refusals: tally,
  faults: tally,
  crashes: tally,
  crashPoints: tally,
});
export type ToldSeed = z.output<typeof toldSeed>;

export interface RunOptions {
  first: number;
  seeds: number;
  jobs: number;
  /** The folder whose simulation runs; this one when not given. */
  root?: string;
  /** Ends the run at the first violation. */
  stopAtFirst?: boolean;
  told?(seed: ToldSeed): void;
}

/** Runs seeds in as many processes as there are cores to spare, and gives what became of them in order. */
export async function runSeeds(options: RunOptions): Promise<ToldSeed[]> {
  const { first, seeds, jobs } = options;
  const script =
    options.root === undefined
      ? fileURLToPath(new URL('./job.ts', import.meta.url))
      : `${options.root}/simulation/job.ts`;
  const results: ToldSeed[] = [];
  let next = first;
  let isOver = false;

  const work = (): Promise<void> =>
    new Promise((done, failed) => {
      const child: ChildProcess = fork(script, [], {
        execArgv: ['--import', 'tsx'],
        ...(options.root === undefined ? {} : { cwd: options.root }),
      });
      const goOn = (): void => {
        if (isOver || next >= first + seeds) {
          child.send({ end: true });
          return;
        }
        child.send({ seed: next });
        next += 1;
      };
      child.on('message', (message) => {
        if (ready.safeParse(message).success) return goOn();
        const told = toldSeed.safeParse(message);
        if (!told.success) return failed(new Error(`a job told what is no seed: ${told.error.message}`));
        results.push(told.data);
        options.told?.(told.data);
        if (told.data.violation !== undefined && options.stopAtFirst === true) isOver = true;
        goOn();
      });
      child.once('error', failed);
      child.once('exit', (code) =>
        code === 0 ? done() : failed(new Error(`a job of the simulation ended with ${code}`)),
      );
    });

  await Promise.all(Array.from({ length: Math.min(jobs, seeds) }, work));
  if (!isOver && results.length !== seeds) throw new Error(`${results.length} of ${seeds} seeds were played`);
  return results.sort((a, b) => a.seed - b.seed);
}
