import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ended, runProgram, type ServerProcess, startServerProcess } from '../app/testing-process.ts';
import { type Block, blocksFor, blocksOf, type Document, readDocuments } from './documents.ts';

// Every command in every document is run by a test or is marked with the reason why not. What no other test runs is run here.

const root = fileURLToPath(new URL('..', import.meta.url));
const documents = readDocuments();
const blocks = documents.flatMap(blocksOf);
const here = blocksFor('shell', documents);
const named = ({ file, heading, text }: Block) => `${file}, under "${heading}": ${text.split('\n')[0]}`;

/** The reasons of documents that are not marked themselves: by file, or by file and heading. */
const elsewhere: Readonly<Record<string, string>> = {
  'deploy/README.md#With containers':
    'it needs a container engine; npx vitest run deploy and make image-drill try its parts',
  'deploy/README.md#With systemd': 'it needs root and systemd; npx vitest run deploy has the unit verified',
  'docs/failover.md#Many copies, and a database that fails over':
    'it needs root, Patroni, etcd and HAProxy, and takes minutes',
};
const reasonOf = ({ file, heading, run }: Block): string | undefined =>
  'not' in run ? run.not : (elsewhere[`${file}#${heading}`] ?? elsewhere[file]);

test('the documents are found, and their commands', () => {
  expect(documents.map(({ file }) => file)).toEqual(
    expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'docs/integrators.md', 'docs/handbook/02-selling.md']),
  );
  expect(blocks.length).toBeGreaterThan(80);
  for (const runner of ['walk', 'guide', 'typed', 'shell'] as const) {
    expect([runner, blocks.filter(({ run }) => 'by' in run && run.by === runner).length]).not.toEqual([runner, 0]);
  }
});

test('it is told which are not run, and why', () => {
  const left = blocks.flatMap((block) => {
    const reason = reasonOf(block);
    return reason === undefined ? [] : [`  ${named(block)}\n    not run: ${reason}`];
  });
  console.log(`${blocks.length - left.length} of ${blocks.length} blocks of commands are run.\n${left.join('\n')}`);
  const isNamed = (key: string) => blocks.some(({ file, heading }) => key === file || key === `${file}#${heading}`);
  const lost = Object.keys(elsewhere).filter((key) => existsSync(join(root, key.split('#')[0] ?? '')) && !isNamed(key));
  expect(lost).toEqual([]);
  // They are the exception: one that could be run is not to be marked for comfort.
  expect(left.length).toBeLessThan(blocks.length / 6);
});

describe('a document', () => {
  const of = (text: string): Document => ({ file: 'docs/planted.md', text });

  test('with a block of which nobody knows how it is run is refused', () => {
    for (const info of ['bash', 'console', 'sh real', 'sh not run:', 'sh not run: why'])
      expect(() => blocksOf(of(`# A\n\n\`\`\`${info}\nmake start\n\`\`\`\n`))).toThrow(/docs\/planted\.md, under "A"/);
    expect(() => blocksOf(of('```sh\nmake start\n'))).toThrow(/does not end/);
  });

  test('with a new block has it run, and a marked one is told', () => {
    const found = blocksOf(
      of(
        '## B\n\n```sh\ncurl x\n```\n\n```sh\nbss top\n```\n\n```json\n{}\n```\n\n```sh not run: it needs root and systemd\nreboot\n```\n',
      ),
    );
    expect(found.map(({ run }) => run)).toEqual([
      { by: 'shell' },
      { by: 'typed' },
      { not: 'it needs root and systemd' },
    ]);
    expect(found.map(({ text }) => text)).toEqual(['curl x\n', 'bss top\n', 'reboot\n']);
  });
});

describe('what documents name is there:', () => {
  const makefile = readFileSync(join(root, 'Makefile'), 'utf8');
  const verbs = new Set([...makefile.matchAll(/^([a-z][a-z-]*):/gm)].map(([, verb = '']) => verb));
  const verbsIn = (text: string): string[] =>
    [...text.matchAll(/`make ([a-z-]+)[^`]*`|^make ([a-z-]+)/gm)].map(([, said, typed]) => said ?? typed ?? '');
  const linksIn = (text: string): string[] =>
    [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map(([, path = '']) => path);
  const settingsIn = (text: string): string[] => [...text.matchAll(/\bAIRTIME_[A-Z_]*[A-Z]\b/g)].map(([name]) => name);

  test('each verb of make', () => {
    for (const { file, text } of documents)
      expect([file, verbsIn(text).filter((verb) => !verbs.has(verb))]).toEqual([file, []]);
    expect(verbsIn('`make nothing`\nmake neither\n').filter((verb) => !verbs.has(verb))).toEqual([
      'nothing',
      'neither',
    ]);
  });

  test('each file that is linked to', () => {
    const lacks = ({ file, text }: Document) =>
      linksIn(text).filter((path) => !existsSync(resolve(root, dirname(file), path)));
    for (const document of documents) expect([document.file, lacks(document)]).toEqual([document.file, []]);
    expect(lacks({ file: 'docs/a.md', text: '[a](nowhere.md), [b](../README.md#start)' })).toEqual(['nowhere.md']);
  });

  test('each setting', async () => {
    const sources = [
      'app',
      'adapters',
      'bench',
      'browser',
      'build',
      'conformance',
      'deploy',
      'policy',
      'simulation',
      'soak',
      'surfaces',
    ];
    const folders = sources.filter((folder) => existsSync(join(root, folder)));
    const { out } = await runProgram(
      'grep',
      ['-rhoE', 'AIRTIME_[A-Z_]+', '--include=*.ts', '--include=*.mjs', ...folders],
      {
        cwd: root,
        env: { PATH: process.env.PATH },
      },
    );
    const known = new Set(`${out}\n${makefile.match(/AIRTIME_[A-Z_]+/g)?.join('\n') ?? ''}`.split('\n'));
    const lacks = (text: string) =>
      settingsIn(text).filter((name) => !known.has(name) && !known.has(name.replace(/_FILE$/, '')));
    for (const { file, text } of documents) expect([file, lacks(text)]).toEqual([file, []]);
    expect(lacks('`AIRTIME_PORT`, `AIRTIME_NONSENSE_OF_IT`')).toEqual(['AIRTIME_NONSENSE_OF_IT']);
  });
});

describe('as it is printed, beside a server', () => {
  const blockMsMax = 60_000;
  let server: ServerProcess;
  const shell = (text: string): Promise<Ended> => {
    const env = {
      PATH: `${server.folder}:${process.env.PATH}`,
      HOME: server.folder,
      XDG_CONFIG_HOME: join(server.folder, '.config'),
      AIRTIME_TOKEN: server.token,
    };
    return runProgram('bash', ['--norc', '-e', '-c', text], { cwd: server.folder, env, msMax: blockMsMax });
  };

  beforeAll(async () => {
    server = await startServerProcess();
    // What npm link puts there.
    const bss = join(server.folder, 'bss');
    const start = `exec ${process.execPath} --import ${import.meta.resolve('tsx')} ${join(root, 'surfaces/cli/main.ts')} "$@"`;
    writeFileSync(bss, `#!/bin/sh\n${start}\n`);
    chmodSync(bss, 0o700);
  }, 120_000);
  afterAll(() => server?.stop());

  test.each(here.filter((block) => reasonOf(block) === undefined).map((block) => [named(block), block] as const))(
    '%s',
    async (_, { text }) => {
      const ran = await shell(text);
      expect([text, ran.code, ran.error]).toEqual([text, 0, '']);
      const printed = text.split('\n').flatMap((line) => (line.startsWith('#> ') ? [line.slice(3)] : []));
      if (printed.length > 0) expect(ran.out.trimEnd().split('\n')).toEqual(printed);
    },
  );

  test('a command that fails is noticed', async () => {
    expect(await shell('bss nothing-of-the-kind\necho after\n')).toMatchObject({ code: 2, out: '' });
  });
});
