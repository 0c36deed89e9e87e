import type { JsonObject } from '../../kernel/json.ts';
import { asJson } from './as-json.ts';
import { type Answer, type Connection, callTool, connectionOf } from './connection.ts';
import { asksBefore, type Verb } from './descriptors.ts';
import { drawFailure, type Failure, refusedFailure, unknownServer, unreachableFailure } from './failure.ts';
import { UsageError } from './input.ts';
import { showMade } from './made.ts';
import type { ExitCode, OwnOptions } from './options.ts';
import { draw } from './render/draw.ts';
import { drawProposal } from './render/proposal.ts';
import type { Style } from './render/text.ts';
import { type Terminal, wantsColor } from './terminal.ts';
import { whileWaiting } from './waiting.ts';
import { watch } from './watch.ts';

/** One call of a tool from the terminal, with all that showing its answer needs. */
export interface Call {
  readonly verb: Verb;
  readonly verbs: readonly Verb[];
  readonly input: JsonObject;
  readonly own: OwnOptions;
  readonly connection: Connection;
  readonly terminal: Terminal;
  readonly isPreview: boolean;
}

const recentWatched = 40;

/** Calls the tool of a verb, asks where it must, and shows what came of it. */
export async function perform(
  verb: Verb,
  verbs: readonly Verb[],
  input: JsonObject,
  own: OwnOptions,
  terminal: Terminal,
  isPreview: boolean,
): Promise<ExitCode> {
  const connection = connectionOf(own, terminal.env, terminal.folder);
  if (!connection) return failed(unknownServer, own, undefined, terminal);
  if (own.watch && verb.effect !== 'read')
    throw new UsageError(`--watch is for reads; ${verb.noun} ${verb.verb} changes something.`);
  if (asksBefore(verb) && !isPreview && !own.yes && !(terminal.isInputTty && terminal.isErrorTty)) {
    const what = verb.effect === 'money' ? 'moves money' : 'ends something for good';
    throw new UsageError(`${verb.noun} ${verb.verb} ${what} and nobody can be asked here. Add --yes to mean it.`);
  }
  const call: Call = { verb, verbs, input, own, connection, terminal, isPreview };
  // A watched dashboard has room for as much as its screen is high.
  const asked = own.watch && verb.view === 'dashboard' ? { recent: recentWatched, ...input } : input;
  const answered = () => callTool(connection, verb.name, asked, terminal.fetch, { isPreview });
  if (!own.watch) {
    const { code, text } = await tell(call, await whileWaiting(terminal, 'Waiting for the server', answered));
    terminal.out(text);
    return code;
  }
  // What is told while a picture has the screen would be lost with it.
  const held: string[] = [];
  const behind: Call = { ...call, terminal: { ...terminal, error: (text) => void held.push(text) } };
  const show = async (height?: number) => tell(behind, await answered(), height);
  const code = await watch(show, own.watch, terminal, verb.view === 'dashboard');
  for (const text of held) terminal.error(text);
  return code;
}

/**
 * What an answer comes to: what was done as text, or a failure told on the error stream. A proposal is shown and asked
 * about, and done when the person agrees.
 */
export async function tell(call: Call, answer: Answer, height?: number): Promise<{ code: ExitCode; text: string }> {
  const { verb, verbs, input, own, connection, terminal, isPreview } = call;
  const style: Style = { ...styleOf(terminal, own), ...(height === undefined ? {} : { height }) };
  switch (answer.outcome) {
    case 'done': {
      if (own.json) return { code: codeOf(answer.result), text: asJson(answer.result) };
      const made =
        verb.effect === 'read' ? undefined : await showMade(connection, verbs, answer.result, terminal, style);
      return made ?? { code: codeOf(answer.result), text: draw(verb, answer.result, style) };
    }
    case 'proposed': {
      if (isPreview)
        return { code: 0, text: own.json ? asJson(answer.proposal) : drawProposal(answer.proposal, style) };
      if (answer.token === undefined) throw new Error('a proposal came without what confirms it');
      if (!own.yes && !(await isAgreed(answer.proposal, terminal, style))) return { code: 1, text: '' };
      const confirmation = answer.token;
      const acted = await whileWaiting(terminal, 'Waiting for the server', () =>
        callTool(connection, verb.name, input, terminal.fetch, { confirmation }),
      );
      if (acted.outcome === 'proposed') throw new Error('the server proposed what was confirmed');
      return tell(call, acted);
    }
    case 'refused': {
      const failure = refusedFailure(verb, verbs, answer.status, answer.error);
      // A body its schema refuses was typed wrong; anything else was understood and refused.
      return { code: failed(failure, own, answer.error, terminal, answer.status === 400 ? 2 : 1), text: '' };
    }
    case 'unreachable': {
      const failure = unreachableFailure(connection, answer.message, answer.isRefusedConnection);
      return { code: failed(failure, own, undefined, terminal), text: '' };
    }
  }
}

export function styleOf(terminal: Terminal, own: Pick<OwnOptions, 'color'>): Style {
  return { width: terminal.columns(), color: wantsColor(terminal, own.color !== false) };
}

/** An answer that lists differences where there should be none was given, and is bad news: a script must notice. */
function codeOf(result: unknown): ExitCode {
  return typeof result === 'object' &&
    result !== null &&
    'differences' in result &&
    Array.isArray(result.differences) &&
    result.differences.length > 0
    ? 1
    : 0;
}

/** Tells a failure on the error stream, for a person or as JSON. */
export function failed(
  failure: Failure,
  own: OwnOptions,
  error: JsonObject | undefined,
  terminal: Terminal,
  code: ExitCode = 1,
): ExitCode {
  const style = styleOf(terminal, own);
  const color = style.color && terminal.isErrorTty;
  terminal.error(
    own.json
      ? asJson(error ?? { message: failure.what, next: [...failure.next] })
      : drawFailure(failure, { ...style, color }),
  );
  return code;
}

/** Shows what would happen and asks. The proposal goes to the error stream: the output is for what was done. */
async function isAgreed(proposal: JsonObject, terminal: Terminal, style: Style): Promise<boolean> {
  terminal.error(drawProposal(proposal, { ...style, color: style.color && terminal.isErrorTty }));
  const answer = await terminal.ask('Go on? [y/N] ');
  if (/^y(es)?$/i.test(answer?.trim() ?? '')) return true;
  terminal.error('Nothing was done.\n');
  return false;
}
