import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServerProcess, startServerProcess } from '../app/testing-process.ts';
import tools from '../generated/tools.json' with { type: 'json' };
import { isJsonObject, type Json } from '../kernel/json.ts';
import { searchHandbook } from '../read/handbook/handbook.ts';
import { readVerbs } from '../surfaces/cli/descriptors.ts';
import { run } from '../surfaces/cli/program.ts';
import { blocksFor, mentionsOf, readDocuments } from './documents.ts';

// The handbook says what to type, and so do other documents. Everything is typed: parsed against the verbs that there are,
// then run, document by document, on a line of its own.

const verbs = readVerbs(tools);

interface Line {
  document: string;
  text: string;
}

const documents = readDocuments();
/** Every line for the terminal, of whatever document, without what is said of it. */
const lines: Line[] = blocksFor('typed', documents).flatMap(({ file, text }) =>
  text
    .split('\n')
    .map((line) => line.replace(/\s+# .*$/, ''))
    .filter((line) => line !== '')
    .map((line) => ({ document: file, text: line })),
);
/** What is written inside of sentences: `bss subscription replace-esim`. */
const mentions: Line[] = documents.flatMap((document) =>
  mentionsOf(document).map((text) => ({ document: document.file, text })),
);

const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, bare]) => single ?? double ?? bare ?? '');

interface Ran {
  code: number;
  out: string;
  error: string;
}

async function type(
  args: readonly string[],
  folder: string,
  send: typeof fetch,
  env: Record<string, string>,
): Promise<Ran> {
  const ran: Ran = { code: 0, out: '', error: '' };
  ran.code = await run(args, verbs, '0', {
    folder,
    env,
    isInputTty: false,
    isOutputTty: false,
    isErrorTty: false,
    columns: () => 100,
    out: (text) => {
      ran.out += text;
    },
    error: (text) => {
      ran.error += text;
    },
    readFile: (path) => (path.endsWith('.json') ? profiles : ''),
    readLines: async function* (path) {
      yield* (await readFile(join(folder, path), 'utf8')).split('\n');
    },
    ask: async () => 'n',
    pause: async () => false,
    readTools: () => ({ tools, profiles: { operator: { listed: [], tokens: 1 } } }),
    fetch: send,
  });
  return ran;
}

const profiles = JSON.stringify({
  profiles: [{ iccid: '8965000000000088888', activationCode: 'LPA:1$smdp.example.com$HANDBOOK' }],
});

test('every command is one of the verbs that there are', async () => {
  expect(lines.length).toBeGreaterThan(90);
  const nowhere: typeof fetch = async () => new Response('{"result":null}');
  for (const { document, text } of [...lines, ...mentions]) {
    const [program, ...args] = words(text.split(' > ')[0] ?? text);
    expect([document, text, program]).toEqual([document, text, 'bss']);
    if (args[0] === 'mcp' || args[1] === 'import') continue;
    // A mention names a verb and leaves out what it takes: its help must be there.
    const typed = mentions.some((one) => one.text === text) ? [...args, '--help'] : args;
    const ran = await type(typed, '/', nowhere, { AIRTIME_URL: 'http://server', AIRTIME_TOKEN: 't' });
    expect([document, text, ran.code === 2 ? ran.error : '']).toEqual([document, text, '']);
  }
});

test('a planted verb that there is not is noticed', async () => {
  const never: typeof fetch = async () => new Response('{}');
  const ran = await type(['subscription', 'unblock', 'sub_1'], '/', never, {
    AIRTIME_URL: 'http://x',
    AIRTIME_TOKEN: 't',
  });
  expect(ran.code).toBe(2);
});

/** What is refused where it stands, by its rule, or has nothing to act on. */
const refusedHere: Readonly<Record<string, RegExp>> = {
  'bss preview subscription top-up sub_… VAS_PERIOD': /VAS_PERIOD|period/i,
  'bss preview order cancel ord_…': /order\./,
  'bss flow retry stp_…': /rule +flow\./,
  'bss flow retry --flow network': /rule +flow\./,
  'bss card-gateway close-dispute chargeback_… won': /chargeback/i,
  'bss usage import july.csv': /refused|rated/,
};

describe('on a server', () => {
  let server: ServerProcess;
  const folder = mkdtempSync(join(tmpdir(), 'airtime-handbook-'));
  /** The ids that a reader would have before them, by prefix. */
  const held = new Map<string, string>();
  let msisdn = '';

  const send: typeof fetch = (url, request) => fetch(url, request);
  const bss = (args: readonly string[]) =>
    type(args, folder, send, { AIRTIME_URL: server.url, AIRTIME_TOKEN: server.token });

  /** Keeps whatever ids an answer shows, the first of each kind. */
  function keep(value: Json | undefined): void {
    if (typeof value === 'string') {
      const prefix = /^([a-z]+)_[0-9a-z]{20,}$/.exec(value)?.[1];
      if (prefix !== undefined) held.set(prefix, value);
    }
    if (Array.isArray(value)) for (const one of value) keep(one);
    if (isJsonObject(value)) for (const one of Object.values(value)) keep(one);
  }
  async function json(args: readonly string[]): Promise<Json> {
    const ran = await bss([...args, '--json']);
    if (ran.code !== 0) throw new Error(`${args.join(' ')}: ${ran.error}`);
    const value: Json = JSON.parse(ran.out);
    return value;
  }

  beforeAll(async () => {
    server = await startServerProcess();
    writeFileSync(join(folder, 'numbers.csv'), 'msisdn\n6583000001\n6583000002\n');
    writeFileSync(join(folder, 'customers.csv'), 'givenName,familyName,email\nEve,Ng,eve@example.com\n');
    writeFileSync(join(folder, 'july.csv'), 'msisdn,kind,amount,unit,recordId\n6599999999,data,1,MB,1\n');
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  let documentsPlayed = 0;
  async function aLine(): Promise<void> {
    documentsPlayed += 1;
    const made = await json(['customer', 'register', 'Ada', 'Lim', `ada-${documentsPlayed}@example.com`]);
    const customer = isJsonObject(made) ? String(made.id) : '';
    keep(await json(['card', 'add', customer, `tok_visa_${documentsPlayed}`]));
    await json(['order', 'place', customer, 'PLAN_S', '--yes']);
    for (let waited = 0; waited < 100; waited += 1) {
      const list = await json(['subscription', 'list', '--customer-id', customer]);
      const [line] = isJsonObject(list) && Array.isArray(list.items) ? list.items : [];
      if (isJsonObject(line) && line.state === 'active') {
        msisdn = String(line.msisdn);
        keep(await json(['customer', 'show', customer]));
        keep(await json(['subscription', 'show', String(line.id)]));
        keep(await json(['event', 'list', '--customer-id', customer, '--limit', '100']));
        held.set('cus', customer);
        held.set('sub', String(line.id));
        return;
      }
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error('the line did not become active');
  }

  const asTyped = (text: string): string[] =>
    words(text)
      .slice(1)
      .map((word) => {
        const prefix = /^([a-z]+)_…$/.exec(word)?.[1];
        if (prefix !== undefined) return held.get(prefix) ?? word;
        return word === '6581000001' ? msisdn : word.replace('@example.com', `-typed-${documentsPlayed}@example.com`);
      });

  // The README moves the clock, so it comes last.
  const played = [...new Set(lines.map(({ document }) => document))].sort(
    (a, b) => Number(a === 'README.md') - Number(b === 'README.md'),
  );
  test.each(played)('%s can be followed', async (file) => {
    await aLine();
    for (const { text } of lines.filter(({ document }) => document === file)) {
      const args = asTyped(text);
      const ran = await bss(args);
      const expected = refusedHere[text];
      if (expected) {
        expect([text, ran.code <= 1]).toEqual([text, true]);
        if (ran.code === 1) expect([text, expected.test(ran.error + ran.out)]).toEqual([text, true]);
        continue;
      }
      expect([text, ran.code, ran.code === 0 ? '' : ran.error + ran.out]).toEqual([text, 0, '']);
      // A reader sees the ids of what was made, and types them next.
      for (const [, prefix = '', id = ''] of ran.out.matchAll(/\b(tck|hub|tok|ord)(_[0-9a-z]{20,})\b/g)) {
        held.set(prefix, prefix + id);
      }
    }
  });
});

describe('the search', () => {
  const first = (asked: string) => searchHandbook(asked, 3).map(({ cite }) => cite);
  test.each([
    ['renewal declined', 'cards-and-declines#after-a-declined-renewal'],
    ['why is a line blocked', 'blocks-and-top-ups#why-is-this-line-blocked'],
    ['load numbers', 'number-stock#load-a-range-of-numbers'],
    ['refund', 'refunds-and-chargebacks#give-money-back'],
    ['lost token', 'tokens-and-agents#your-own-token-is-lost'],
    ['backup of the embedded database', 'backups#the-embedded-database'],
    ['chargback', 'refunds-and-chargebacks#the-bank-takes-money-back'],
  ])('finds %s', (asked, cite) => {
    expect(first(asked)).toContain(cite);
  });
  test('of nothing finds nothing, and shows no more than asked', () => {
    expect(searchHandbook('zzzzqqq', 3)).toEqual([]);
    expect(searchHandbook('line', 2)).toHaveLength(2);
  });
});
