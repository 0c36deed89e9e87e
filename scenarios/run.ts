import { readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type ServerProcess, startServerProcess } from '../app/testing-process.ts';
import { openDoors } from './doors.ts';
import { type Audience, play, StepFailed } from './play.ts';
import { readScenario, type Scenario } from './scenario.ts';
import { failure, narrator, nobody, type Result, resultTable, type Stage, title } from './tell.ts';

const usage = `Plays the stories of scenarios/ through the public doors of a live server.

  npx tsx scenarios/run.ts [file …] [--show] [--built] [--against <url>]

  --show            tell each step, and draw what a person would look at
  --built           start servers and bss from dist/, as they are shipped, instead of from the sources
  --against <url>   play on a server that already runs, with AIRTIME_TOKEN; without it servers are started and stopped
`;

const logLinesMax = 12;

const stage: Stage = {
  out: (text) => void process.stdout.write(text),
  columns: process.stdout.columns || 100,
  color: process.stdout.isTTY === true && !process.env.NO_COLOR,
};

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`scenarios: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      show: { type: 'boolean' },
      built: { type: 'boolean' },
      against: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    stage.out(usage);
    return 0;
  }
  // Every file is read before any server starts: a scenario with a misspelt key stops the run at once.
  const scenarios = (positionals.length > 0 ? positionals : filesHere()).map(readScenario);
  const audience = values.show ? narrator(stage) : nobody;
  const results = values.against
    ? await playAll(scenarios, { url: values.against, token: process.env.AIRTIME_TOKEN ?? '' }, audience)
    : await onServersOfOurOwn(scenarios, audience, { isTold: values.show === true, built: values.built === true });
  stage.out(`\n${resultTable(results, stage)}`);
  return results.some(({ failed }) => failed) ? 1 : 0;
}

function filesHere(): string[] {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => `${folder}${file}`);
}

/**
 * Most scenarios share one server and have customers of their own; its clock stands, and they play one after another.
 * Those that need an empty server or another day play beside them. Told stories are never mixed.
 */
async function onServersOfOurOwn(
  scenarios: readonly Scenario[],
  audience: Audience,
  { isTold, built }: { isTold: boolean; built: boolean },
): Promise<Result[]> {
  const shared = scenarios.filter((one) => one.server === undefined);
  const alone = scenarios.filter((one) => one.server !== undefined);
  const onShared = async () => (shared.length === 0 ? [] : onServer({ built }, shared, audience, true));
  const onOwn = async () => {
    const results: Result[] = [];
    for (const one of alone)
      results.push(...(await onServer({ built, historyDays: one.server?.historyDays }, [one], audience, false)));
    return results;
  };
  const results = isTold
    ? [...(await onShared()), ...(await onOwn())]
    : (await Promise.all([onShared(), onOwn()])).flat();
  return scenarios.flatMap((one) => results.find(({ scenario }) => scenario === one) ?? []);
}

async function onServer(
  options: { built: boolean; historyDays?: number | undefined },
  scenarios: readonly Scenario[],
  audience: Audience,
  freeze: boolean,
): Promise<Result[]> {
  const server = await startServerProcess(options);
  try {
    if (freeze) await openDoors(server).tool('clock.freeze', {});
    return await playAll(scenarios, server, audience, server);
  } finally {
    await server.stop();
  }
}

/** Of a log as much as one reads beside a failure. */
function endOf(log: string): string {
  return log.trimEnd().split('\n').slice(-logLinesMax).join('\n');
}

async function playAll(
  scenarios: readonly Scenario[],
  connection: { url: string; token: string },
  audience: Audience,
  server?: ServerProcess,
): Promise<Result[]> {
  const doors = openDoors(connection, server && ((args) => server.bss(args)));
  const run = Date.now().toString(36);
  const results: Result[] = [];
  for (const [index, scenario] of scenarios.entries()) {
    if (audience !== nobody) stage.out(title(scenario, stage));
    const began = Date.now();
    const mark = server?.log().length;
    const outside = {
      now: () => new Date(),
      pause: (milliseconds: number) => pause(milliseconds),
      unique: `${run}${index}`,
    };
    const result = { scenario, steps: 0, failed: false };
    try {
      result.steps = await play(scenario, doors, audience, outside);
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      result.failed = true;
      process.stderr.write(
        failure(scenario, error, mark === undefined ? undefined : server && endOf(server.log().slice(mark))),
      );
    }
    results.push({ ...result, seconds: (Date.now() - began) / 1000 });
  }
  return results;
}
