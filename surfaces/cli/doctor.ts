import { statSync } from 'node:fs';
import { callTool, connectionOf, findConnectionFile } from './connection.ts';
import { paintOf } from './render/paint.ts';
import { plainText } from './render/text.ts';
import { type Terminal, wantsColor } from './terminal.ts';

interface Finding {
  isGood: boolean;
  what: string;
  mend?: string;
}

/** Looks at an installation from where one types: program, file of the connection, server, token, database. */
export async function examine(
  given: { server?: string; token?: string; color?: boolean; json?: boolean },
  terminal: Terminal,
): Promise<0 | 1> {
  const findings = await find(given, terminal);
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

async function find(given: { server?: string }, terminal: Terminal): Promise<Finding[]> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isNew = major > 20 || (major === 20 && minor >= 19);
  const findings: Finding[] = [
    isNew
      ? { isGood: true, what: `Node ${process.versions.node}` }
      : { isGood: false, what: `Node ${process.versions.node} is too old`, mend: 'install Node 20.19 or newer' },
  ];
  const file = findConnectionFile(terminal.folder);
  if (file) {
    const isPrivate = process.platform === 'win32' || (statSync(file.path).mode & 0o077) === 0;
    findings.push(
      isPrivate
        ? { isGood: true, what: `${file.path} is there and private` }
        : { isGood: false, what: `${file.path} holds a token and others can read it`, mend: `chmod 600 ${file.path}` },
    );
  }
  const connection = connectionOf(given, terminal.env, terminal.folder);
  if (!connection) {
    return [
      ...findings,
      { isGood: false, what: 'No server is known here: there is no .airtime/cli.json', mend: 'make start' },
    ];
  }
  if (connection.token === undefined) {
    findings.push({
      isGood: false,
      what: `No token for ${connection.url}`,
      mend: 'set AIRTIME_TOKEN or AIRTIME_TOKEN_FILE',
    });
  }
  const answer = await callTool(connection, 'health.show', {}, terminal.fetch);
  switch (answer.outcome) {
    case 'unreachable':
      return [
        ...findings,
        {
          isGood: false,
          what: `No server answers at ${connection.url}: ${answer.message}`,
          mend: answer.isRefusedConnection ? 'make start' : 'check the address',
        },
      ];
    case 'refused':
      return [
        ...findings,
        { isGood: true, what: `A server answers at ${connection.url}` },
        answer.status === 401 || answer.status === 403
          ? {
              isGood: false,
              what: 'It does not take this token',
              mend: 'start the server again, or make a token with bss token create',
            }
          : {
              isGood: false,
              what: `It answers ${answer.status} to a question about its health`,
              mend: 'look at the log of the server',
            },
      ];
    case 'proposed':
      return [
        ...findings,
        { isGood: false, what: `What answers at ${connection.url} is not Airtime`, mend: 'check the address' },
      ];
    case 'done':
      return [
        ...findings,
        { isGood: true, what: `A server answers at ${connection.url}` },
        ...healthFindings(answer.result),
      ];
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
