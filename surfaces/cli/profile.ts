import { remoteDoor } from './agent-door.ts';
import { asJson } from './as-json.ts';
import { findConnectionFile, tokenOfFile } from './connection.ts';
import { UsageError } from './input.ts';
import type { ExitCode, OwnOptions } from './options.ts';
import { styleOf } from './perform.ts';
import { profileNamed, readProfiles, writeProfiles } from './profiles.ts';
import { paintOf } from './render/paint.ts';
import { plainText } from './render/plain.ts';
import { type Column, table } from './render/table.ts';
import type { Terminal } from './terminal.ts';

interface Row {
  name: string;
  url: string;
  isCurrent: boolean;
}

/** The servers that have a name. Tokens are never shown. */
export function listProfiles(own: OwnOptions, terminal: Terminal): ExitCode {
  const { current, named } = readProfiles(terminal.env);
  const rows: Row[] = [...named].map(([name, { url }]) => ({ name, url, isCurrent: name === current }));
  if (own.json) {
    terminal.out(asJson({ current: current ?? null, profiles: rows }));
    return 0;
  }
  const style = styleOf(terminal, own);
  const paint = paintOf(style.color);
  const columns: Column<Row>[] = [
    { title: '', value: (row) => (row.isCurrent ? '▸' : '') },
    {
      title: 'name',
      value: (row) => plainText(row.name),
      paint: (text, row) => (row.isCurrent ? paint.good(text) : text),
    },
    { title: 'server', value: (row) => plainText(row.url), min: 12 },
  ];
  terminal.out(table(columns, rows, style, 'No servers have a name yet: bss profile add <name> <url>'));
  return 0;
}

const nameShape = /^[a-z0-9][a-z0-9._-]{0,39}$/i;

/** Keeps a server by name. The token comes from the environment, a file, a person or standard input: never by argument. */
export async function addProfile(
  name: string,
  url: string | undefined,
  own: OwnOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  if (!nameShape.test(name) || name === 'none') {
    throw new UsageError(`"${name}" is no name for a profile: letters, digits, dots and dashes.`, 'bss profile add');
  }
  const profiles = readProfiles(terminal.env);
  const made = url === undefined ? ofFolder(terminal) : { url: checkedUrl(url), token: await tokenFor(name, terminal) };
  const named = new Map(profiles.named).set(name, made);
  const path = writeProfiles(terminal.env, { ...profiles, named });
  const paint = paintOf(styleOf(terminal, own).color);
  const answer = await whoAnswers(made, terminal);
  if (own.json) {
    terminal.out(asJson({ name, url: made.url, answers: answer.isGood, told: answer.told }));
    return 0;
  }
  terminal.out(`${paint.good('✓')} ${name} is ${plainText(made.url)}, kept in ${path}\n`);
  terminal.out(`${answer.isGood ? paint.good('✓') : paint.warn('!')} ${plainText(answer.told)}\n`);
  if (isClear(made.url)) {
    terminal.out(`${paint.warn('!')} Its token travels in clear: use https unless the way there is your own.\n`);
  }
  terminal.out(`  ${paint.quiet('next')}  ${paint.accent(`bss profile use ${name}`)}\n`);
  return 0;
}

function ofFolder(terminal: Terminal): { url: string; token: string } {
  const file = findConnectionFile(terminal.folder, terminal.env);
  if (!file) {
    throw new UsageError('No server runs from this folder or one above it: say where it is.', 'bss profile add');
  }
  return { url: file.url.replace(/\/+$/, ''), token: file.token };
}

function checkedUrl(given: string): string {
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    throw new UsageError(`"${given}" is no address: https://bss.example.com`, 'bss profile add');
  }
  if (!['http:', 'https:'].includes(url.protocol)) {
    throw new UsageError(`"${given}" is neither http nor https.`, 'bss profile add');
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError('A secret is not given by argument: leave it out of the address.', 'bss profile add');
  }
  return given.replace(/\/+$/, '');
}

function isClear(given: string): boolean {
  const { protocol, hostname } = new URL(given);
  return protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

async function tokenFor(name: string, terminal: Terminal): Promise<string> {
  const { AIRTIME_TOKEN, AIRTIME_TOKEN_FILE } = terminal.env;
  const given =
    AIRTIME_TOKEN ||
    tokenOfFile(AIRTIME_TOKEN_FILE || undefined) ||
    (terminal.isInputTty
      ? await terminal.askSecret?.(`Token for ${name}, it is not shown: `)
      : terminal.readFile('-').split('\n')[0]);
  const token = given?.trim() ?? '';
  if (token === '') {
    throw new UsageError('No token was given: type it, pipe it, or set AIRTIME_TOKEN.', 'bss profile add');
  }
  if (/\s/.test(token)) throw new UsageError('This is no token: there is a space in it.', 'bss profile add');
  return token;
}

async function whoAnswers(
  { url, token }: { url: string; token: string },
  terminal: Terminal,
): Promise<{ isGood: boolean; told: string }> {
  try {
    const { audience, tools } = await remoteDoor({ url, token, from: 'profile' }, terminal.fetch).list();
    return { isGood: true, told: `It answers: this token opens ${tools.length} tools, as ${audience}` };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { isGood: false, told: `It is kept, and was not reached just now: ${why}` };
  }
}

export function useProfile(name: string, own: OwnOptions, terminal: Terminal): ExitCode {
  const profiles = readProfiles(terminal.env);
  const current = name === 'none' ? undefined : name;
  const chosen = current === undefined ? undefined : profileNamed(profiles, current);
  writeProfiles(terminal.env, { ...profiles, current });
  if (own.json) terminal.out(asJson({ current: current ?? null }));
  else if (chosen) terminal.out(`bss works with ${name} now: ${plainText(chosen.url)}\n`);
  else terminal.out('bss works with the server of the folder you stand in.\n');
  return 0;
}

export function removeProfile(name: string, own: OwnOptions, terminal: Terminal): ExitCode {
  const profiles = readProfiles(terminal.env);
  profileNamed(profiles, name);
  const named = new Map(profiles.named);
  named.delete(name);
  writeProfiles(terminal.env, { current: profiles.current === name ? undefined : profiles.current, named });
  terminal.out(own.json ? asJson({ removed: name }) : `${name} and its token are forgotten.\n`);
  return 0;
}
