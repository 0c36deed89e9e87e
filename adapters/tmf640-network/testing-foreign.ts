import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** What the foreign server wants to be shown. */
export const token = 'token-of-the-foreign-network';
/** Where its API is. */
export const base = '/tmf-api/ServiceActivationAndConfiguration/v4';

export interface Foreign {
  url: string;
  /** Where its requests or answers left the contract. */
  breaches: string[];
  control(what: object): Promise<{ services: number; monitors: number }>;
  close(): Promise<void>;
}

const told = z.union([z.object({ port: z.number() }), z.object({ breach: z.string() })]);

/** A TMF640 server of somebody else, in a process of its own: `testing-server.ts`. */
export async function startForeign(mode: 'sync' | 'async'): Promise<Foreign> {
  const script = fileURLToPath(new URL('./testing-server.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, mode, token], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const breaches: string[] = [];
  const port = await new Promise<number>((done, fail) => {
    child.once('exit', (code) => fail(new Error(`the foreign network ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const one = told.parse(JSON.parse(line));
      if ('port' in one) done(one.port);
      else breaches.push(one.breach);
    });
  });
  const counts = z.object({ services: z.number(), monitors: z.number() });
  return {
    url: `http://127.0.0.1:${port}`,
    breaches,
    close: () =>
      new Promise((done) => {
        child.once('exit', () => done());
        child.kill('SIGKILL');
      }),
    control: async (what) =>
      counts.parse(
        await (await fetch(`http://127.0.0.1:${port}/control`, { method: 'POST', body: JSON.stringify(what) })).json(),
      ),
  };
}
