import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { openTestDirectory, testServer } from '../../app/database/testing.ts';
import { extraDefinitions } from '../../app/extra-tools.ts';
import type { Caller } from '../../kernel/caller.ts';
import { commands } from '../../policy/commands.ts';
import { testWire } from '../../surfaces/http/testing.ts';
import { bindExtra, describeExtra } from '../../tools/extra.ts';
import { queriesFor } from '../../tools/queries.ts';
import { describeTools, makeTools } from '../../tools/registry.ts';
import { cases, rulesOfDoors } from '../rules/cases.ts';
import { allowed } from './allowed.ts';
import { generatedCheck, importsCheck } from './artefacts.ts';
import { queriesCheck } from './bounds.ts';
import { clockCheck } from './clock.ts';
import { columnsCheck, functionsCheck, guardCheck, readCatalogue, statisticsCheck } from './database.ts';
import type { Finding, Judged } from './finding.ts';
import { handlersCheck } from './handlers.ts';
import { moneyCheck } from './money.ts';
import { outsideCheck } from './outside.ts';
import {
  commandsCheck,
  confirmationCheck,
  customerToolsCheck,
  inputsCheck,
  readExercise,
  rulesCheck,
} from './registry.ts';
import { readSources, type SourceCheck, type Sources } from './source.ts';
import { wireTypesCheck } from './wire-types.ts';
import { writesCheck } from './writes.ts';

// Reads the program by its syntax tree and the live database by its catalogue, and refuses what the house forbids. Each
// check is given violations to find as well: one that it does not find fails the run as a violation does.

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const folders = [
  'kernel',
  'policy',
  'read',
  'handlers',
  'tools',
  'surfaces',
  'adapters',
  'workers',
  'app',
  'build',
  'scenarios',
  'conformance',
  'doctrine',
  'simulation',
  'bench',
  'browser',
];

/** Judges the files of the house and the plants of a check by the same words. */
function judgeSources(check: SourceCheck, sources: Sources): Judged {
  const files = sources.files.filter(({ room }) => check.rooms.includes(room));
  const allowances = allowed[check.name] ?? {};
  const needed = new Set<string>();
  const violations: Finding[] = [];
  for (const file of files.filter(({ isPlant }) => !isPlant)) {
    for (const found of check.judge(file, sources)) {
      const key = `${found.file}: ${found.what}`;
      if (allowances[key] === undefined) violations.push(found);
      else needed.add(key);
    }
  }
  for (const key of Object.keys(allowances)) {
    if (!needed.has(key))
      violations.push({ file: 'doctrine/check/allowed.ts', line: 1, what: `nothing needs to be allowed: ${key}` });
  }
  const missed = check.plants
    .filter(({ file: path }) => {
      const file = sources.files.find((one) => one.path === path);
      return !file || !check.rooms.includes(file.room) || check.judge(file, sources).length === 0;
    })
    .map(({ file }) => file);
  return {
    check: check.name,
    refuses: check.refuses,
    looked: files.filter(({ isPlant }) => !isPlant).length,
    unit: 'files',
    violations,
    planted: check.plants.length,
    caught: check.plants.length - missed.length,
    missed,
  };
}

const customer: Caller = {
  audience: 'customer',
  id: 'tok_plant',
  name: 'plant',
  surface: 'chat',
  scopes: ['*'],
  customerId: 'cus_plant',
};

const operator: Caller = { audience: 'operator', id: 'tok_plant', name: 'plant', surface: 'tools', scopes: ['*'] };

/** What the registry and its definitions come to; no database is asked. */
async function judgeRegistry(sources: Sources): Promise<Judged[]> {
  const queries = queriesFor(commands);
  const tools = describeTools(
    commands,
    queries,
    extraDefinitions.map((definition) => ({ descriptor: describeExtra(definition) })),
  );
  const { policy, pool } = testWire();
  const seen = makeTools({ policy, pool, commands, queries }).list(customer);
  return [
    commandsCheck(commands, readExercise(root, sources)),
    rulesCheck(
      [...new Set([...tools.flatMap(({ rules }) => rules.map(({ code }) => code)), ...rulesOfDoors])],
      new Set(Object.keys(cases)),
    ),
    await confirmationCheck(tools, operator, (given, off) =>
      makeTools({
        policy: { ...policy, rulesOff: new Set(off) },
        pool,
        commands: given ?? commands,
        queries: given ? [] : queries,
        extra: given ? [] : extraDefinitions.map((definition) => bindExtra(definition, async () => ({}))),
      }),
    ),
    inputsCheck(tools),
    customerToolsCheck(seen, (tool) => makeTools({ policy, pool, commands: [tool], queries: [] }).list(customer)),
  ];
}

async function withDatabase<T>(work: (server: pg.Client, owner: pg.Client) => Promise<T>): Promise<T> {
  const { directory, remove } = await openTestDirectory();
  try {
    const database = await testServer(directory, `${root}/prisma/migrations`).testDatabase();
    const server = new pg.Client({ connectionString: database.serverUrl });
    const owner = new pg.Client({ connectionString: database.ownerUrl });
    await Promise.all([server.connect(), owner.connect()]);
    try {
      return await work(server, owner);
    } finally {
      await Promise.all([server.end(), owner.end()]);
    }
  } finally {
    await remove();
  }
}

async function judgeAll(): Promise<Judged[]> {
  // Other processes work while this one reads the program.
  const artefacts = Promise.all([importsCheck(root, folders), generatedCheck(root)]);
  const { catalogue, database } = await withDatabase(async (server, owner) => ({
    catalogue: await readCatalogue(owner),
    database: [
      await guardCheck(server, owner),
      await functionsCheck(owner),
      await columnsCheck(owner),
      await statisticsCheck(owner),
    ],
  }));
  const checks = [
    clockCheck,
    writesCheck(catalogue.writers),
    handlersCheck,
    moneyCheck,
    outsideCheck,
    wireTypesCheck,
    queriesCheck(catalogue.tables.filter((name) => !fixedTables.has(name))),
  ];
  const sources = readSources(
    root,
    checks.flatMap(({ plants }) => plants),
  );
  return [
    ...checks.map((check) => judgeSources(check, sources)),
    ...(await judgeRegistry(sources)),
    ...database,
    ...(await artefacts),
  ];
}

/** Tables that hold one row, or as many as there are settings. */
const fixedTables = new Set(['business_clock', 'relay_cursor', 'setting']);

const began = performance.now();
const report = await judgeAll();
const wide = Math.max(...report.map(({ check }) => check.length));
for (const { check, looked, unit, violations, planted, caught } of report) {
  const mark = violations.length === 0 && caught === planted && planted > 0 && looked > 0 ? ' ' : '!';
  console.log(
    `${mark} ${check.padEnd(wide)}  ${String(looked).padStart(5)} ${unit.padEnd(10)} ${String(violations.length).padStart(3)} violations  ${caught} of ${planted} planted caught`,
  );
}
for (const { check, refuses, violations, missed, looked } of report) {
  if (violations.length > 0 || missed.length > 0) console.error(`\n${check}: refuses ${refuses}.`);
  for (const { file, line, what } of violations) console.error(`  ${file}${line > 0 ? `:${line}` : ''}  ${what}`);
  for (const name of missed) console.error(`  the planted violation was not caught: ${name}`);
  if (looked === 0) console.error(`\n${check}: it looked at nothing.`);
}
const sum = (count: (one: Judged) => number): number => report.reduce((all, one) => all + count(one), 0);
const isSound = report.every(
  ({ violations, missed, looked, planted }) => violations.length + missed.length === 0 && looked > 0 && planted > 0,
);
console.log(
  `${report.length} checks, ${sum(({ violations }) => violations.length)} violations, ${sum(({ caught }) => caught)} of ${sum(({ planted }) => planted)} planted violations caught, ${Object.values(allowed).reduce((all, one) => all + Object.keys(one).length, 0)} allowances, ${((performance.now() - began) / 1000).toFixed(1)} s`,
);
process.exitCode = isSound ? 0 : 1;
