import { openCluster } from './database.ts';
import { runSeed } from './seed.ts';

// One process of a run: a PostgreSQL of its own and the seeds it is given, one after the other. What became of each goes
// to the parent as it ends, so that a run that is interrupted has told what it knew.
const cluster = await openCluster();
const send = (message: object): void => {
  process.send?.(message);
};
process.on('message', async (message: unknown) => {
  if (typeof message === 'object' && message !== null && 'seed' in message && typeof message.seed === 'number') {
    const { trace, tallies, ...result } = await runSeed(cluster, message.seed);
    const { stepsRun, actions, refusals, faults, crashes, crashPoints, ...numbers } = tallies;
    send({
      ...result,
      trace: result.violation === undefined ? [] : trace,
      numbers,
      stepsRun: [...stepsRun],
      actions: [...actions],
      refusals: [...refusals],
      faults: [...faults],
      crashes: [...crashes],
      crashPoints: [...crashPoints],
    });
    return;
  }
  await cluster.close();
  process.exit(0);
});
process.on('disconnect', () => process.exit(1));
send({ ready: true });
