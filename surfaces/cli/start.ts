import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import tools from '../../generated/tools.json' with { type: 'json' };
import program from '../../package.json' with { type: 'json' };
import { readVerbs } from './descriptors.ts';
import { UsageError } from './input.ts';
import { run } from './program.ts';
import type { Terminal } from './terminal.ts';
import { ask, askSecret, columns, editLine, openScreen, rows, wait } from './tty.ts';

const terminal: Terminal = {
  folder: process.cwd(),
  env: process.env,
  isInputTty: process.stdin.isTTY === true,
  isOutputTty: process.stdout.isTTY === true,
  isErrorTty: process.stderr.isTTY === true,
  columns,
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
  readFile: (path) => {
    try {
      return readFileSync(path === '-' ? 0 : path, 'utf8');
    } catch (error) {
      throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  },
  readLines: async function* (path) {
    const { createInterface } = await import('node:readline');
    const input = path === '-' ? process.stdin : createReadStream(path);
    try {
      yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    } catch (error) {
      throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  },
  fileBytes: (path) => (path === '-' ? undefined : statSync(path, { throwIfNoEntry: false })?.size),
  readTools: () => {
    // Beside the compiled program, or where the build leaves it for the sources.
    const path = ['../tools.json', '../../generated/tools-whole.json']
      .map((candidate) => fileURLToPath(new URL(candidate, import.meta.url)))
      .find((one) => existsSync(one));
    return path === undefined ? undefined : JSON.parse(readFileSync(path, 'utf8'));
  },
  ask,
  pause: (milliseconds) => wait(milliseconds),
  fetch,
  rows,
  askSecret,
  editLine,
  openScreen,
  serveAgent: async (door, secret) => {
    const { serveAgent } = await import('../mcp/stdio.ts');
    const onError = (error: Error) => void process.stderr.write(`bss mcp: ${error.message}\n`);
    await serveAgent({ door, secret, version: program.version, onError });
  },
};

try {
  process.exitCode = await run(process.argv.slice(2), readVerbs(tools), program.version, terminal);
} catch (error) {
  process.stderr.write(`bss: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
