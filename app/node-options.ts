/**
 * How Node runs the server. V8 compiles and collects garbage on four threads beside the program. On a machine with two cores
 * they take both, for up to 4 ms at a time, from the thread that answers and from the database; one is enough for them.
 * `Dockerfile` and `deploy/airtime.service` say the same. Source: docs/decisions/0028-one-helper-thread.md.
 */
export const nodeOptions: readonly string[] = ['--v8-pool-size=1'];
