/**
 * Loaded with `--import` into the server by the fuzzer: a SIGUSR2 collects all garbage, so that what a sample of the heap
 * shows is alive.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');
if (typeof collect !== 'function') throw new Error('this Node.js cannot be told to collect');
process.on('SIGUSR2', () => {
  collect();
});
