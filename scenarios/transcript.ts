import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { startServerProcess } from '../app/testing-process.ts';

// Types the session that `make start` ends with, key by key, into a real terminal (tmux) on a server of its own, and
// waits for what each line promises to be seen.
//
//   npx tsx scenarios/transcript.ts [--columns 100] [--out transcript.txt]

const step = z.strictObject({
  type: z.string(),
  about: z.string(),
  sees: z.string(),
  /** What the question shows that is answered with y. */
  asks: z.string().optional(),
  /** The key that leaves what was opened. */
  key: z.string().optional(),
});

const root = fileURLToPath(new URL('..', import.meta.url));
const session = z.array(step).parse(JSON.parse(readFileSync(`${root}build/first-session.json`, 'utf8')));
/** Higher than the highest picture, for what leaves the screen is not looked at. */
const rows = 80;
const waitMsMax = 30_000;
const pollMs = 80;

/** Whether this machine has a terminal that can be typed into by a program. */
export const hasTmux = (): boolean => spawnSync('tmux', ['-V']).status === 0;

/**
 * Plays the session. @param isHurried sends a line and the key that ends it at once, and waits for nothing.
 * @returns what stood on the terminal, step by step.
 * @throws when something that is promised is not seen; the message holds what is seen instead.
 */
export async function playTranscript(columns: number, isHurried = false): Promise<string[]> {
  const server = await startServerProcess({ built: true });
  const socket = `airtime-${process.pid}-${columns}`;
  const environment = { PATH: process.env.PATH ?? '', HOME: server.folder, TERM: 'xterm-256color', LANG: 'C.UTF-8' };
  const tmux = (...args: string[]): string =>
    execFileSync('tmux', ['-L', socket, '-f', '/dev/null', ...args], { encoding: 'utf8', env: environment });
  const type = (text: string) => tmux('send-keys', '-t', 's', '-l', '--', text);
  const press = (key: string) => tmux('send-keys', '-t', 's', key);
  const seen = () => tmux('capture-pane', '-p', '-t', 's').trimEnd();
  const untilSeen = async (what: RegExp | ((text: string) => boolean), named: string): Promise<string> => {
    const until = Date.now() + waitMsMax;
    for (;;) {
      const text = seen();
      if (typeof what === 'function' ? what(text) : what.test(text)) return text;
      if (Date.now() > until) throw new Error(`"${named}" was not seen. What is seen:\n${text}`);
      await pause(pollMs);
    }
  };
  /** What is typed, in one piece where it went over several rows. */
  const lineOf = (text: string) => text.slice(text.lastIndexOf('airtime ›')).replaceAll('\n', '');
  const atPrompt = (text: string) => /(^|\n)airtime ›$/.test(text);
  const told: string[] = [];
  try {
    tmux('new-session', '-d', '-s', 's', '-x', String(columns), '-y', String(rows), '-c', server.folder, '/bin/sh');
    type(`PS1='$ '; clear; '${process.execPath}' '${root}dist/bss.js'`);
    press('Enter');
    told.push(await untilSeen(atPrompt, 'airtime ›'));
    if (isHurried) {
      type('offering list --jso\t\r');
      await untilSeen((text) => /^\s*[\]}]$/m.test(text) && atPrompt(text), 'JSON for --json, the first line of all');
    }
    for (const one of session) {
      press('C-l');
      await untilSeen((text) => text.trim() === 'airtime ›', 'a clear screen');
      // Behind what is completed stands a space already.
      const parts = one.type.split('<Tab>').map((part) => part.trimStart());
      if (isHurried) type(`${parts.join('\t')}\r`);
      for (const [index, part] of isHurried ? [] : parts.entries()) {
        if (index > 0) {
          press('Tab');
          // A name is replaced by an id or a number. That the name is not there says nothing: its keys may be on the way.
          const before = index === 1 ? (parts[0] ?? '').replace(/\S+$/, '') : '';
          const found = new RegExp(`${before}(?:[a-z]{3}_[0-9a-z]{26}|\\d{8,})`);
          await untilSeen((text) => found.test(lineOf(text)), 'what Tab finds');
        }
        type(part);
        await untilSeen((text) => lineOf(text).endsWith(part.trimEnd()), 'what was typed');
      }
      if (!isHurried) press('Enter');
      if (one.asks !== undefined) {
        const asked = await untilSeen(/Go on\? \[y\/N\]$/, 'Go on?');
        if (!new RegExp(one.asks).test(asked)) throw new Error(`"${one.asks}" was not seen:\n${asked}`);
        type('y');
        press('Enter');
      }
      const shown = await untilSeen(new RegExp(one.sees), one.sees);
      if (one.key === undefined) {
        told.push(await untilSeen(atPrompt, 'airtime ›'));
      } else {
        told.push(shown);
        press(one.key);
        // What stood there before is there again.
        await untilSeen((text) => atPrompt(text) && !new RegExp(one.sees).test(text), 'the prompt again');
      }
    }
    if (isHurried) {
      // Given up before anything is found, and when it was sent already.
      for (const keys of ['customer show grace\t\u0003', 'subscription end grace\t --when now\r\u0003']) {
        press('C-l');
        await untilSeen((text) => text.trim() === 'airtime ›', 'a clear screen');
        type(keys);
        await untilSeen((text) => /\^C\n/.test(text) && atPrompt(text), '^C');
      }
      // What one line asks for goes into no other.
      press('C-l');
      await untilSeen((text) => text.trim() === 'airtime ›', 'a clear screen');
      type('customer lis\t\rcustomer list\r');
      const isListedTwice = (text: string) => text.match(/Grace Tan/g)?.length === 2 && atPrompt(text);
      const twice = await untilSeen(isListedTwice, 'the list of customers, twice');
      if (/customer list \S/.test(twice)) throw new Error(`a line was changed by the Tab of another:\n${twice}`);
    }
    type('exit');
    press('Enter');
    await untilSeen(/\$$/, 'the shell again');
    return told;
  } finally {
    spawnSync('tmux', ['-L', socket, 'kill-server']);
    await server.stop();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { columns: { type: 'string', default: '100' }, out: { type: 'string' } } });
  if (!hasTmux()) {
    process.stdout.write('transcript: NOT RUN, tmux is not installed here\n');
    return 0;
  }
  const transcript = `${(await playTranscript(Number(values.columns))).join('\n\n')}\n`;
  if (values.out === undefined) process.stdout.write(transcript);
  else writeFileSync(values.out, transcript);
  return 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = await main();
