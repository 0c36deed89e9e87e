import { type ServerProcess as Started, startServerProcess as start } from '../app/testing-process.ts';

export { pause } from '../app/testing-process.ts';

export interface ServerProcess extends Started {
  readonly publicUrl: string;
}

/** Unlike the address it listens on, so that a link made from the Host header is seen to be wrong. */
const publicUrl = 'https://bss.example.com';

/** Starts the program as it is built when `AIRTIME_SERVER` names it, else from its sources. */
export async function startServerProcess(options: { imports?: readonly string[] } = {}): Promise<ServerProcess> {
  const server = await start({
    ...options,
    program: process.env.AIRTIME_SERVER,
    // Only the listener's own address: every other private one must still be refused.
    env: { AIRTIME_PUBLIC_URL: publicUrl, AIRTIME_CALLBACK_ALLOW: '127.0.0.1/32' },
  });
  return { ...server, publicUrl };
}
