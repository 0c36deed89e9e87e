/**
 * Cooperative tasks, one of which runs at a time. A task runs until it rests or ends, and nothing else moves meanwhile,
 * so the order of everything is the order in which the scheduler lets tasks go on. A task rests only while no transaction
 * of its own is open.
 */
export interface Task {
  readonly name: string;
  /** Where it rests; undefined once it has ended. */
  readonly restsAt: string | undefined;
  /** Gives the turn back until the scheduler says `goOn`. */
  rest(at: string): Promise<void>;
  /** Ends here: what comes after is never run, as when the process dies. */
  vanish(): Promise<never>;
}

export interface Turns {
  /** Begins a task and runs it until it rests or ends. A failure of `work` is thrown here. */
  begin(name: string, work: (task: Task) => Promise<void>): Promise<Task>;
  /** Lets a resting task go on until it rests again or ends. */
  goOn(task: Task): Promise<void>;
}

interface Running extends Task {
  restsAt: string | undefined;
  wake: () => void;
  giveBack: { done: () => void; failed: (error: unknown) => void };
}

export function makeTurns(): Turns {
  const known = new WeakMap<Task, Running>();

  const turnOf = (task: Running, run: () => void): Promise<void> =>
    new Promise((done, failed) => {
      task.giveBack = { done, failed };
      run();
    });

  return {
    async begin(name, work) {
      const task: Running = {
        name,
        restsAt: undefined,
        wake: () => undefined,
        giveBack: { done: () => undefined, failed: () => undefined },
        rest: (at) =>
          new Promise((resolve) => {
            task.restsAt = at;
            task.wake = resolve;
            task.giveBack.done();
          }),
        vanish: () => {
          task.restsAt = undefined;
          task.giveBack.done();
          return new Promise<never>(() => undefined);
        },
      };
      known.set(task, task);
      await turnOf(task, () => {
        work(task).then(
          () => {
            task.restsAt = undefined;
            task.giveBack.done();
          },
          (error: unknown) => {
            task.restsAt = undefined;
            task.giveBack.failed(error);
          },
        );
      });
      return task;
    },
    goOn(given) {
      const task = known.get(given);
      if (task === undefined) throw new Error('this task is of another scheduler');
      if (task.restsAt === undefined) throw new Error(`${task.name} has ended`);
      task.restsAt = undefined;
      return turnOf(task, () => task.wake());
    },
  };
}
