import { paintOf } from '../surfaces/cli/render/paint.ts';
import { pad, shorten } from '../surfaces/cli/render/text.ts';
import type { Exchange } from './doors.ts';
import type { Audience, StepFailed } from './play.ts';
import type { Scenario } from './scenario.ts';

export interface Stage {
  out(text: string): void;
  columns: number;
  color: boolean;
}

/** Nobody looks: a run that is only judged. */
export const nobody: Audience = { step: () => undefined, shows: () => undefined, style: undefined };

const widthMax = 100;
const shownDepth = 1;

/** Tells a scenario as it goes: a line for each step, and pictures where the story wants them seen. */
export function narrator(stage: Stage): Audience {
  const paint = paintOf(stage.color);
  const columns = Math.min(stage.columns, widthMax);
  return {
    style: { columns, color: stage.color },
    step({ word, text }, depth) {
      if (depth >= shownDepth) return;
      stage.out(`${paint.accent(pad(word, 6))} ${text}\n`);
    },
    shows(line, picture) {
      stage.out(`\n${paint.quiet(`$ ${line}`)}\n${picture}\n`);
    },
  };
}

export function title(scenario: Scenario, stage: Stage): string {
  const paint = paintOf(stage.color);
  return `\n${paint.strong(scenario.title)}\n${paint.quiet(scenario.story.trim())}\n\n`;
}

const shownMax = 2000;

/** All that is needed to see why a scenario failed: where, what was asked, and what came back. */
export function failure(scenario: Scenario, failed: StepFailed, log: string | undefined): string {
  return [
    `Failed: ${scenario.title} (${scenario.file})`,
    `  step     ${failed.sentence}`,
    ...failed.faults.map((fault) => `  wrong    ${fault}`),
    ...(failed.exchange ? exchangeLines(failed.exchange) : []),
    ...(log
      ? ['  server   the end of its log:', ...log.split('\n').map((line) => `           ${line.slice(0, 300)}`)]
      : []),
    '',
  ].join('\n');
}

function exchangeLines({ request, body, status, answer }: Exchange): string[] {
  const shown = (value: unknown) => (JSON.stringify(value) ?? '').slice(0, shownMax);
  return [
    `  request  ${request}${body === undefined ? '' : ` ${shown(body)}`}`,
    `  answer   ${status} ${shown(answer)}`,
  ];
}

export interface Result {
  scenario: Scenario;
  steps: number;
  seconds: number;
  failed: boolean;
}

export function resultTable(results: readonly Result[], stage: Stage): string {
  const paint = paintOf(stage.color);
  const titleWidth = Math.max(8, ...results.map(({ scenario }) => scenario.title.length));
  const shown = Math.min(titleWidth, Math.max(20, stage.columns - 28));
  const lines = results.map(({ scenario, steps, seconds, failed }) => {
    const state = failed ? paint.bad(pad('failed', 8)) : paint.good(pad('passed', 8));
    return `${state} ${pad(shorten(scenario.title, shown), shown)} ${String(steps).padStart(5)} ${seconds.toFixed(1).padStart(8)} s`;
  });
  const failures = results.filter(({ failed }) => failed).length;
  const total = `${results.length} scenarios, ${results.length - failures} passed, ${failures} failed`;
  return `${paint.quiet(`${pad('', 8)} ${pad('scenario', shown)} steps       time`)}\n${lines.join('\n')}\n\n${failures > 0 ? paint.bad(total) : paint.good(total)}\n`;
}
