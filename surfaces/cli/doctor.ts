import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { remoteDoor } from './agent-door.ts';
import { type Connection, callTool, connectionOf, findConnectionFile } from './connection.ts';
import type { Verb } from './descriptors.ts';
import { UsageError } from './input.ts';
import { isPrivate, profilesPath, readProfiles } from './profiles.ts';
import { paintOf } from './render/paint.ts';
import { plainText } from './render/plain.ts';
import { type Terminal, wantsColor } from './terminal.ts';

interface Finding {
  isGood: boolean;
  what: string;
  mend?: string;
}

/** Looks at an installation from where one types: program, file of the connection, server, token, database. */
export async function examine(
  given: { server?: string; profile?: string; color?: boolean; json?: boolean },
  verbs: readonly Verb[],
  terminal: Terminal,
): Promise<0 | 1> {
  const findings = await find(given, verbs, terminal);
  const isWell = findings.every((finding) => finding.isGood);
  if (given.json) {
    terminal.out(`${JSON.stringify({ isWell, findings }, null, 2)}\n`);
    return isWell ? 0 : 1;
  }
  const paint = paintOf(wantsColor(terminal, given.color !== false));
  for (const { isGood, what, mend } of findings) {
    terminal.out(`${isGood ? paint.good('✓') : paint.bad('✗')} ${plainText(what)}\n`);
    if (mend !== undefined) terminal.out(`  ${paint.quiet('mend')}  ${paint.accent(mend)}\n`);
  }
  return isWell ? 0 : 1;
}

async function find(
  given: { server?: string; profile?: string },
  verbs: readonly Verb[],
  terminal: Terminal,
): Promise<Finding[]> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isNew = major > 20 || (major === 20 && minor >= 19);
  const findings: Finding[] = [
    isNew
      ? { isGood: true, what: `Node ${process.versions.node}` }
      : { isGood: false, what: `Node ${process.versions.node} is too old`, mend: 'install Node 20.19 or newer' },
    ...letterFindings(terminal),
    ...profileFindings(terminal),
  ];
  const file = findConnectionFile(terminal.folder, terminal.env);
  if (file) {
    findings.push(
      isPrivate(file.path)
        ? { isGood: true, what: `${file.path} is there and private` }
        : { isGood: false, what: `${file.path} holds a token and others can read it`, mend: `chmod 600 ${file.path}` },
    );
  }
  let connection: Connection | undefined;
  try {
    connection = connectionOf(given, terminal.env, terminal.folder);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return [...findings, { isGood: false, what: error.message, mend: 'bss profile list' }];
  }
  if (!connection) {
    return [
      ...findings,
      {
        isGood: false,
        what: 'No server is known here: there is no .airtime/cli.json and no profile in use',
        mend: 'make start, or bss profile add <name> <url>',
      },
    ];
  }
  findings.push({ isGood: true, what: `The server is ${connection.url}, by ${connection.from}` });
  if (connection.token === undefined) {
    findings.push({
      isGood: false,
      what: `No token for ${connection.url}`,
      mend: 'set AIRTIME_TOKEN or AIRTIME_TOKEN_FILE, or bss profile add <name> <url>',
    });
  }
  return [...findings, ...(await serverFindings(connection, verbs, file?.path, terminal))];
}

/** Drawings need letters beyond ASCII: a terminal of another character set shows something else. */
function letterFindings({ env, isOutputTty }: Terminal): Finding[] {
  const set = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  if (!isOutputTty || process.platform === 'win32' || set === '' || /utf-?8/i.test(set)) return [];
  return [
    { isGood: false, what: `This terminal is set to ${set}: drawings need UTF-8`, mend: 'export LC_ALL=C.UTF-8' },
  ];
}

function profileFindings({ env }: Terminal): Finding[] {
  const path = profilesPath(env);
  if (path === undefined || !existsSync(path)) return [];
  try {
    const { named, current } = readProfiles(env);
    if (current !== undefined && !named.has(current)) {
      return [{ isGood: false, what: `The profile in use, ${current}, is not there`, mend: 'bss profile use none' }];
    }
    return [{ isGood: true, what: `${path} is there and private, profiles: ${named.size}` }];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return [{ isGood: false, what: error.message, mend: isPrivate(path) ? `rm ${path}` : `chmod 600 ${path}` }];
  }
}

async function serverFindings(
  connection: Connection,
  verbs: readonly Verb[],
  file: string | undefined,
  terminal: Terminal,
): Promise<Finding[]> {
  const answer = await callTool(connection, 'health.show', {}, terminal.fetch, { answerMs: answerMsMax });
  const answers: Finding = { isGood: true, what: `A server answers at ${connection.url}` };
  switch (answer.outcome) {
    case 'unreachable': {
      const isOwn = file !== undefined && connection.from === file;
      const last = isOwn ? lastLog(dirname(file)) : undefined;
      const nothing = `No server answers at ${connection.url}: ${answer.message}`;
      const mend = answer.isRefusedConnection ? (isOwn ? 'make start' : 'make start, there') : 'check the address';
      return [
        { isGood: false, what: nothing, mend },
        ...(last === undefined ? [] : [{ isGood: false, what: `The last line of its log: ${last}` }]),
      ];
    }
    case 'refused':
      return [answers, await refusedFinding(connection, answer.status, terminal)];
    case 'proposed':
      return [{ isGood: false, what: `What answers at ${connection.url} is not Airtime`, mend: 'check the address' }];
    case 'done':
      return [answers, ...(await versionFindings(connection, verbs, terminal)), ...healthFindings(answer.result)];
  }
}

const answerMsMax = 10_000;

/** A token that may not see health may be good for other tools: that is asked before anything is called wrong. */
async function refusedFinding(connection: Connection, status: number, terminal: Terminal): Promise<Finding> {
  if (status === 401) {
    const mend = connection.profile
      ? `bss profile add ${connection.profile} ${connection.url}`
      : 'start the server again, or on its machine: node dist/airtime.js token';
    return { isGood: false, what: 'It does not take this token', mend };
  }
  if (status === 403 || status === 404) {
    const own = await toolsOf(connection, terminal);
    if (own) return { isGood: true, what: `It takes this token: ${own.tools.length} tools, as ${own.audience}` };
  }
  return {
    isGood: false,
    what: `It answers ${status} to a question about its health`,
    mend: 'look at the log of the server',
  };
}

async function toolsOf(connection: Connection, terminal: Terminal) {
  try {
    return await remoteDoor(connection, terminal.fetch).list();
  } catch {
    return undefined;
  }
}

/** A program and a server of different builds may not know each other's tools. */
async function versionFindings(connection: Connection, verbs: readonly Verb[], terminal: Terminal): Promise<Finding[]> {
  const own = await toolsOf(connection, terminal);
  if (own?.audience !== 'operator') return [];
  const there = new Set(own.tools.map((tool) => tool.name));
  const here = new Set(verbs.map((verb) => verb.name));
  const unknown = [...there].filter((name) => !here.has(name));
  const missing = [...here].filter((name) => !there.has(name));
  if (unknown.length === 0 && missing.length === 0) return [{ isGood: true, what: 'It is of the same build as bss' }];
  return [
    {
      isGood: false,
      what: `It is of another build than bss: ${[...unknown, ...missing].slice(0, 5).join(', ')} ${
        missing.length > 0 ? 'is not known there' : 'is not known here'
      }`,
      mend: missing.length > 0 ? 'bring the server up to date' : 'bring bss up to date: make build',
    },
  ];
}

/** The log of a server of this folder; it holds no secrets. */
function lastLog(home: string): string | undefined {
  try {
    const last = readFileSync(join(home, 'server.log'), 'utf8').trimEnd().split('\n').at(-1) ?? '';
    const line: unknown = JSON.parse(last);
    return typeof line === 'object' && line !== null && 'msg' in line ? String(line.msg) : undefined;
  } catch {
    return undefined;
  }
}

function healthFindings(health: unknown): Finding[] {
  const alarms =
    typeof health === 'object' && health !== null && 'alarms' in health && Array.isArray(health.alarms)
      ? health.alarms
      : [];
  if (alarms.length === 0) return [{ isGood: true, what: 'It finds nothing wrong with itself' }];
  return alarms.map((alarm: unknown) => {
    const part = (name: 'sentence' | 'command') =>
      typeof alarm === 'object' && alarm !== null && name in alarm
        ? String(Object.entries(alarm).find(([key]) => key === name)?.[1])
        : '';
    const mend = part('command');
    return { isGood: false, what: part('sentence'), ...(mend === '' ? {} : { mend }) };
  });
}
