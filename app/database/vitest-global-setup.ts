import { directoryVariable, openTestDirectory } from './testing.ts';

/**
 * Names the folder of this run's PostgreSQL to the test files, and stops and removes it when the run is over.
 * A run in which no test asks for a database starts none.
 */
export async function setup(): Promise<() => Promise<void>> {
  const { directory, remove } = await openTestDirectory();
  process.env[directoryVariable] = directory;
  return remove;
}
