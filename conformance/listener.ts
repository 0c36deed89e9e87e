import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Json, JsonObject } from '../kernel/json.ts';
import { isJsonObject } from '../kernel/json.ts';

export interface Delivery {
  /** Below the callback that the hub was given. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: JsonObject;
}

/** A real listener: another process, reached over HTTP only. */
export interface Listener {
  /** Where a hub of this name is to deliver. */
  callback(name: string): string;
  heard(name: string): Promise<readonly Delivery[]>;
  down(name: string): Promise<void>;
  up(name: string): Promise<void>;
  stop(): void;
}

const heardRows = z.array(
  z.object({
    path: z.string(),
    headers: z.record(z.string(), z.union([z.string(), z.array(z.string())]).optional()),
    text: z.string(),
  }),
);

function bodyOf(text: string): JsonObject {
  const body: Json = JSON.parse(text);
  if (!isJsonObject(body)) throw new Error(`an event is an object, not ${text.slice(0, 100)}`);
  return body;
}

export async function startListener(): Promise<Listener> {
  const program = fileURLToPath(new URL('./listener-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (data: Buffer) => resolve(data.toString().trim()));
    child.once('exit', (code) => reject(new Error(`the listener ended with ${code}`)));
  });
  const url = `http://127.0.0.1:${port}`;
  const control = async (path: string): Promise<string> =>
    (await fetch(`${url}/control/${path}`, { method: 'POST' })).text();
  return {
    callback: (name) => `${url}/${name}`,
    heard: async (name) =>
      heardRows.parse(JSON.parse(await control(`heard/${name}`))).map((one) => ({ ...one, body: bodyOf(one.text) })),
    down: async (name) => void (await control(`down/${name}`)),
    up: async (name) => void (await control(`up/${name}`)),
    stop: () => child.kill(),
  };
}
