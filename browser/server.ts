import { type ServerProcess, startServerProcess } from '../app/testing-process.ts';
import { isJsonObject, type Json } from '../kernel/json.ts';

export interface BrowsedServer extends Pick<ServerProcess, 'url' | 'token' | 'log' | 'stop'> {
  /** Runs a tool as the operator; what is proposed is confirmed. */
  tool(name: string, input: Json): Promise<Json>;
  /** A command line of the terminal. @returns what it printed */
  bss(args: readonly string[]): Promise<string>;
}

/** Starts what `make build` made. Its business time begins `historyDays` ago and stands, so that there is a past to show. */
export async function startServer(options: { historyDays: number }): Promise<BrowsedServer> {
  const server = await startServerProcess({
    ...options,
    built: true,
    // A subscriber that nobody is, so that there is something to see among parked deliveries.
    env: { AIRTIME_CALLBACK_ALLOW: '127.0.0.1/32' },
  });
  return {
    ...server,
    tool: (name, input) => runTool(server.url, server.token, name, input),
    async bss(args) {
      const { code, out, error } = await server.bss(args);
      if (code !== 0) throw new Error(`bss ${args.join(' ')} ended with ${code}: ${error}`);
      return out;
    },
  };
}

async function runTool(url: string, token: string, name: string, input: Json): Promise<Json> {
  const ask = async (confirmation?: string): Promise<Json> => {
    const response = await fetch(`${url}/tools/${name}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(confirmation === undefined ? {} : { 'confirmation-token': confirmation }),
      },
      body: JSON.stringify(input),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${name} was answered ${response.status}: ${text.slice(0, 500)}`);
    const answer: Json = JSON.parse(text);
    return answer;
  };
  const first = await ask();
  const confirmation = isJsonObject(first) && isJsonObject(first.confirmation) ? first.confirmation.token : undefined;
  const answer = typeof confirmation === 'string' ? await ask(confirmation) : first;
  return isJsonObject(answer) && answer.result !== undefined ? answer.result : null;
}
