/**
 * How Node runs the server. V8 compiles and collects garbage on four threads beside the program. On a machine with two cores
 * they take both, for up to 4 ms at a time, from the thread that answers and from the database; one is enough for them.
 * It collects the old space whenever that has grown by a few megabytes, every five seconds of load; now by six tenths.
 * `Dockerfile` and `deploy/airtime.service` say the same. Source: docs/decisions/0028-one-helper-thread.md and
 * 0030-fewer-stalls-under-load.md.
 */
export const nodeOptions: readonly string[] = ['--v8-pool-size=1', '--heap-growing-percent=60'];
