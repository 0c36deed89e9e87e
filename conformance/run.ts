/**
 * `npx tsx conformance/run.ts [--api TMF622] [--quick] [--verbose]` proves TMF630 line by line against a server of its
 * own, and prints what was proved of what applies. Exit code 1 where anything is not as it should be.
 */
import { parseArgs } from 'node:util';
import { operations } from '../generated/operations.ts';
import { isCovered, isServed, keyOf } from './client.ts';
import { readLedger } from './ledger.ts';
import { requirements } from './requirements.ts';
import { startServerProcess } from './server-process.ts';
import { apiOrder, type Finding, openSession, uncited } from './session.ts';
import { rowsOf, subjectsOf } from './suite.ts';

const { values: given } = parseArgs({
  options: { api: { type: 'string', multiple: true }, quick: { type: 'boolean' }, verbose: { type: 'boolean' } },
});
const chosen = apiOrder.filter((api) => given.api === undefined || given.api.includes(api));
const besideTheMission = new Set<string>(['TMF637', 'TMF654', 'TMF670', 'TMF677']);
const elevenOfTheMission = new Set<string>(apiOrder.filter((api) => !besideTheMission.has(api)));

function print(cells: readonly (string | number)[]): void {
  const widths = [8, 12, 16, 16, 12, 12, 12];
  console.log(
    cells
      .map((cell, index) => String(cell).padEnd(widths[index] ?? 0))
      .join(' ')
      .trimEnd(),
  );
}

async function main(): Promise<number> {
  const began = Date.now();
  const server = await startServerProcess();
  try {
    const session = await openSession({ ...server, size: given.quick ? 'quick' : 'whole', apis: chosen });
    try {
      const findings: Finding[] = [];
      const ms = new Map<string, number>();
      for (const api of chosen) {
        const from = Date.now();
        findings.push(...(await session.proveApi(api)));
        ms.set(api, Date.now() - from);
        process.stderr.write(`${api} read and written in ${Math.round((Date.now() - from) / 100) / 10} s\n`);
      }
      const from = Date.now();
      findings.push(...(await Promise.all(chosen.map((api) => session.proveEvents(api)))).flat());
      const eventsMs = Date.now() - from;
      for (const api of chosen) findings.push(...(await session.proveClosing(api)));

      const { client, suite } = session;
      const ledger = readLedger();
      const problems: string[] = [];
      const found = new Map(findings.map((one) => [one.row.id, one] as const));
      const rows = chosen.flatMap((api) => rowsOf(subjectsOf(api, suite.doors)));
      const results: Finding[] = rows.map(
        (row) => found.get(row.id) ?? { row, outcome: 'uncited', detail: 'no check proves it' },
      );
      for (const id of uncited(requirements.map((one) => one.id))) problems.push(`no check cites ${id}`);
      for (const { row, outcome, detail } of results) {
        if (outcome === 'proved' && ledger.has(row.id)) problems.push(`${row.id} is proved: strike it off the ledger`);
        if (outcome !== 'failed' && outcome !== 'uncited') continue;
        if (ledger.has(row.id)) console.log(`known   ${row.id}: ${ledger.get(row.id)}`);
        else problems.push(`${row.id}: ${detail}`);
      }
      for (const row of ledger.keys()) {
        if (given.api === undefined && !rows.some((one) => one.id === row))
          problems.push(`the ledger names ${row}, which is no row`);
      }

      const uncovered = operations.filter(
        (one) => one.served && chosen.some((api) => api === one.api) && !isCovered(client.seen.get(keyOf(one))),
      );
      for (const one of uncovered) problems.push(`${keyOf(one)} is not exercised with and without credentials`);
      const violations = new Map(client.violations.map((one) => [`${one.operation}: ${one.what}`, one] as const));
      for (const [what, one] of violations) problems.push(`response violation ${what} (${one.request.slice(0, 120)})`);
      const log = server.log();
      for (const line of log.split('\n').filter((one) => one.includes('a promise was left alone')))
        problems.push(`unhandled rejection: ${line.slice(0, 300)}`);
      for (const line of defectsIn(log)) problems.push(`the server failed: ${line}`);
      if (!server.isRunning()) problems.push('the server ended');

      if (given.verbose || results.length < 50)
        for (const { row, outcome, detail } of results) console.log(`${outcome.padEnd(14)} ${row.id} ${detail}`);
      report(results, client, uncovered.length, ms);
      console.log(
        `\n${client.requests()} requests, events ${Math.round(eventsMs / 1000)} s, ${Math.round((Date.now() - began) / 1000)} s in all.`,
      );
      if (problems.length > 0)
        console.log(`\n${problems.length} problems:\n${problems.map((one) => `  ${one}`).join('\n')}`);
      return problems.length === 0 ? 0 : 1;
    } finally {
      session.close();
    }
  } finally {
    await server.stop();
  }
}

/** What the server logged as a failure of its own, each once. */
function defectsIn(log: string): string[] {
  const messages = log
    .split('\n')
    .filter((line) => line.includes('"level":"error"') || line.includes('"level":"fatal"'));
  return [
    ...new Set(messages.map((line) => /"message":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? line.slice(0, 300))),
  ].slice(0, 20);
}

type SessionClient = Awaited<ReturnType<typeof openSession>>['client'];

function report(
  results: readonly Finding[],
  client: SessionClient,
  uncovered: number,
  ms: ReadonlyMap<string, number>,
): void {
  print(['API', 'operations', 'requirements', 'not applying', 'violations', 'uncovered', 'seconds']);
  const totals = { served: 0, contract: 0, proved: 0, applying: 0 };
  const mission = { served: 0, contract: 0 };
  for (const api of chosen) {
    const contract = operations.filter((one) => one.api === api && one.served);
    const served = contract.filter((one) => isServed(client.seen.get(keyOf(one))));
    const own = results.filter(({ row }) => row.subject.api === api);
    const applying = own.filter(({ outcome }) => outcome !== 'notApplicable');
    const proved = applying.filter(({ outcome }) => outcome === 'proved');
    const violations = client.violations.filter((one) => one.operation.startsWith(api)).length;
    const missing = contract.filter((one) => !isCovered(client.seen.get(keyOf(one))));
    print([
      api,
      `${served.length}/${contract.length}`,
      `${proved.length}/${applying.length}`,
      own.length - applying.length,
      violations,
      missing.length,
      Math.round((ms.get(api) ?? 0) / 100) / 10,
    ]);
    totals.served += served.length;
    totals.contract += contract.length;
    totals.proved += proved.length;
    totals.applying += applying.length;
    if (elevenOfTheMission.has(api)) {
      mission.served += served.length;
      mission.contract += contract.length;
    }
  }
  print([
    'all',
    `${totals.served}/${totals.contract}`,
    `${totals.proved}/${totals.applying}`,
    results.filter(({ outcome }) => outcome === 'notApplicable').length,
    client.violations.length,
    uncovered,
  ]);
  if (given.api === undefined)
    console.log(
      `the eleven of the mission: ${mission.served} of ${mission.contract} operations; beside them ${[...besideTheMission].sort().join(', ')}`,
    );
  const reasons = new Map<string, number>();
  for (const { outcome, detail } of results)
    if (outcome === 'notApplicable') reasons.set(detail, (reasons.get(detail) ?? 0) + 1);
  console.log('\nrows that do not apply, by reason:');
  for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1]))
    console.log(`  ${String(count).padStart(4)}  ${reason}`);
}

process.exitCode = await main();
