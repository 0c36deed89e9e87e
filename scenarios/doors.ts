import { readFileSync } from 'node:fs';
import { apis } from '../generated/operations.ts';
import tools from '../generated/tools.json' with { type: 'json' };
import { isJsonObject, type Json } from '../kernel/json.ts';
import program from '../package.json' with { type: 'json' };
import { readVerbs } from '../surfaces/cli/descriptors.ts';
import { run } from '../surfaces/cli/program.ts';
import type { Terminal } from '../surfaces/cli/terminal.ts';

/** What was asked, as a person could type it, and what came back. `status` of a command line is its exit code. */
export interface Exchange {
  request: string;
  body: Json | undefined;
  status: number;
  answer: Json | undefined;
}

/** A command line that was carried out. */
export interface CommandLine {
  code: number;
  out: string;
  error: string;
}

/** The public doors of one server. */
export interface Doors {
  readonly url: string;
  http(method: string, path: string, body?: Json): Promise<Exchange>;
  /** Runs a tool; what is proposed is confirmed. With a token it is somebody else who asks. */
  tool(name: string, input: Json, as?: string): Promise<Exchange>;
  /** What is below `/chat`: sent with a body, read without. */
  chat(path: string, body?: Json, as?: string): Promise<Exchange>;
  /** Runs `bss` with these arguments against the server. */
  bss(args: readonly string[]): Promise<CommandLine>;
  /** The same command drawn for a person, in this process: for pictures, which prove nothing. */
  drawn(args: readonly string[], style: { columns: number; color: boolean }): Promise<CommandLine>;
}

const answerMsMax = 60_000;

/** `TMF637 product/sub_…` as the path of the standard. */
export function pathOf(target: string): string {
  const [, api, rest] = /^(TMF\d{3}) (\S+)$/.exec(target) ?? [];
  const base = apis.find((one) => one.api === api)?.basePaths[0];
  if (base === undefined || rest === undefined)
    throw new Error(`"${target}" names no resource: write TMF637 product/\${line}`);
  return `${base}/${rest}`;
}

export function openDoors(
  connection: { url: string; token: string },
  bss: Doors['bss'] | undefined = undefined,
): Doors {
  const { url, token } = connection;

  async function http(
    method: string,
    path: string,
    body?: Json,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Exchange> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        ...more,
        ...(body === undefined
          ? {}
          : { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerMsMax),
    });
    const text = await response.text();
    return {
      request: `${method} ${path}`,
      body,
      status: response.status,
      answer: text === '' ? undefined : parsed(text),
    };
  }

  const inProcess = async (
    args: readonly string[],
    style: { columns: number; color: boolean },
  ): Promise<CommandLine> => {
    let out = '';
    let error = '';
    const terminal: Terminal = {
      folder: process.cwd(),
      env: { AIRTIME_URL: url, AIRTIME_TOKEN: token },
      isInputTty: false,
      isOutputTty: style.color,
      isErrorTty: false,
      columns: () => style.columns,
      out: (text) => {
        out += text;
      },
      error: (text) => {
        error += text;
      },
      readFile: (path) => readFileSync(path, 'utf8'),
      readLines: async function* (path) {
        yield* readFileSync(path, 'utf8').split('\n');
      },
      ask: async () => undefined,
      pause: async () => false,
      fetch,
    };
    const code = await run(args, readVerbs(tools), program.version, terminal);
    return { code, out, error };
  };

  return {
    url,
    http: (method, path, body) => http(method, path, body),
    chat: (path, body, as) => http(body === undefined ? 'GET' : 'POST', `/chat${path}`, body, bearer(as)),
    async tool(name, input, as) {
      const first = await http('POST', `/tools/${name}`, input, bearer(as));
      const token = confirmationIn(first.answer);
      const { answer, ...rest } =
        token === undefined
          ? first
          : await http('POST', `/tools/${name}`, input, { ...bearer(as), 'confirmation-token': token });
      const isDone = rest.status < 300 && typeof answer === 'object' && answer !== null && 'result' in answer;
      return { ...rest, answer: isDone ? answer.result : answer };
    },
    bss: bss ?? ((args) => inProcess(args, { columns: 100, color: false })),
    drawn: inProcess,
  };
}

const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

/** The token of a proposal; undefined in any other answer. */
function confirmationIn(answer: Json | undefined): string | undefined {
  const confirmation = isJsonObject(answer) ? answer.confirmation : undefined;
  return isJsonObject(confirmation) && typeof confirmation.token === 'string' ? confirmation.token : undefined;
}

export function parsed(text: string): Json {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return text;
  }
}
