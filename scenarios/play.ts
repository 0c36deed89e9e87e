import { isJsonObject, type Json } from '../kernel/json.ts';
import { type Doors, type Exchange, parsed, pathOf } from './doors.ts';
import { faultsOf, readPath } from './match.ts';
import { readPart, type Scenario, type Step, sentenceOf } from './scenario.ts';

/** Names that steps gave to what they found. */
type Scope = Map<string, Json>;

/** Hears of a scenario as it goes. */
export interface Audience {
  /** A step begins; `depth` is above 0 inside a played file. */
  step(sentence: { word: string; text: string }, depth: number): void;
  /** Something to look at: a command line, and its picture. */
  shows(line: string, picture: string): void;
  /** How pictures are drawn; undefined when nobody looks. */
  readonly style: { columns: number; color: boolean } | undefined;
}

/** A step that did not come out as told. Holds all that is needed to see why. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
  readonly sentence: string;
  readonly faults: readonly string[];
  readonly exchange: Exchange | undefined;

  constructor(sentence: string, faults: readonly string[], exchange?: Exchange) {
    super(`${sentence}: ${faults.join('; ')}`);
    this.sentence = sentence;
    this.faults = faults;
    this.exchange = exchange;
  }
}

export interface Outside {
  /** Machine time, for stories that end today. */
  now(): Date;
  pause(milliseconds: number): Promise<void>;
  /** A few letters that no other play of a scenario has: customers are told apart by them. */
  unique: string;
}

/** Plays a scenario to its end and returns the number of steps; throws `StepFailed` at the first that fails. */
export async function play(scenario: Scenario, doors: Doors, audience: Audience, outside: Outside): Promise<number> {
  let parts = 0;
  const scope: Scope = new Map<string, Json>([['unique', outside.unique]]);
  return playSteps(scenario.steps, scope, 0);

  async function playSteps(steps: readonly Step[], names: Scope, depth: number): Promise<number> {
    let played = 0;
    for (const step of steps) {
      const sentence = sentenceOf(step);
      const said = { word: sentence.word, text: String(filled(sentence.text, names)) };
      audience.step(said, depth);
      try {
        played += await playStep(step, names, `${said.word} ${said.text}`, depth);
      } catch (error) {
        if (error instanceof StepFailed) throw error;
        throw new StepFailed(`${said.word} ${said.text}`, [error instanceof Error ? error.message : String(error)]);
      }
      if (audience.style) await show(step, names, audience.style);
    }
    return played;
  }

  async function playStep(step: Step, names: Scope, sentence: string, depth: number): Promise<number> {
    if (step.play !== undefined) {
      // Two people signed up by one part are two people.
      parts += 1;
      const given = Object.entries(withFilled(step.with ?? {}, names));
      const inner: Scope = new Map<string, Json>([['unique', `${outside.unique}p${parts}`], ...given]);
      const count = await playSteps(readPart(scenario.file, step.play), inner, depth + 1);
      saveFrom(step, names, (path) => readPath(Object.fromEntries(inner), path), sentence);
      return count;
    }
    const exchange = await act(step, names, sentence);
    if (exchange) saveFrom(step, names, (path) => readPath(exchange.answer, path), sentence, exchange);
    return 1;
  }

  async function act(step: Step, names: Scope, sentence: string): Promise<Exchange | undefined> {
    const once = makeCall(step, names);
    if (once === undefined) return undefined;
    const deadline = outside.now().getTime() + (step.within ?? waitSecondsDefault) * 1000;
    for (;;) {
      const exchange = await once();
      const faults = [...endFaults(step, exchange), ...faultsOf(exchange.answer, withFilled(step.expect ?? {}, names))];
      const open = faultsOf(exchange.answer, withFilled(step.wait_until ?? {}, names));
      if (faults.length === 0 && open.length === 0) return exchange;
      const mayChange = step.wait_until !== undefined && exchange.status < 500 && outside.now().getTime() < deadline;
      if (!mayChange) throw new StepFailed(sentence, [...faults, ...open], exchange);
      await outside.pause(pollMs);
    }
  }

  function makeCall(step: Step, names: Scope): (() => Promise<Exchange>) | undefined {
    const text = (given: string) => String(filled(given, names));
    const body = () => (step.body === undefined ? undefined : filled(step.body, names));
    const { get, post, patch, delete: remove, tool, chat, bss, advance } = step;
    const as = step.as === undefined ? undefined : text(step.as);
    if (get !== undefined) return () => doors.http('GET', pathOf(text(get)));
    if (post !== undefined) return () => doors.http('POST', pathOf(text(post)), body());
    if (patch !== undefined) return () => doors.http('PATCH', pathOf(text(patch)), body());
    if (remove !== undefined) return () => doors.http('DELETE', pathOf(text(remove)));
    if (tool !== undefined) return () => doors.tool(text(tool), filled(step.input ?? {}, names), as);
    if (chat !== undefined) return () => doors.chat(text(chat), body(), as);
    if (advance !== undefined) return () => doors.tool('clock.advance', filled(advance, names));
    if (bss !== undefined) return () => commandLine(wordsOf(text(bss)));
    return undefined;
  }

  async function commandLine(args: readonly string[]): Promise<Exchange> {
    const { code, out, error } = await doors.bss([...args, '--json']);
    return {
      request: `bss ${args.join(' ')} --json`,
      body: undefined,
      status: code,
      answer: parsed(code === 0 ? out : error),
    };
  }

  async function show(step: Step, names: Scope, style: { columns: number; color: boolean }): Promise<void> {
    for (const line of typeof step.show === 'string' ? [step.show] : (step.show ?? [])) {
      const { code, out, error } = await doors.drawn(wordsOf(String(filled(line, names))), style);
      audience.shows(`bss ${String(filled(line, names))}`, code === 0 ? out : error);
    }
  }

  function filled(value: Json, names: Scope): Json {
    if (typeof value === 'string') return filledText(value, names);
    if (Array.isArray(value)) return value.map((one) => filled(one, names));
    if (isJsonObject(value)) return withFilled(value, names);
    return value;
  }

  function withFilled(value: Record<string, Json | undefined>, names: Scope): Record<string, Json> {
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, part]) => (part === undefined ? [] : [[key, filled(part, names)]])),
    );
  }

  /** A text that is nothing but a name becomes what the name stands for, number or list as it is. */
  function filledText(text: string, names: Scope): Json {
    const whole = /^\$\{([^}]+)\}$/.exec(text)?.[1];
    if (whole !== undefined) return valueNamed(whole, names);
    return text.replace(/\$\{([^}]+)\}/g, (_, name: string) => {
      const value = valueNamed(name, names);
      return typeof value === 'string' ? value : JSON.stringify(value);
    });
  }

  function valueNamed(path: string, names: Scope): Json {
    if (path === 'now') return outside.now().toISOString();
    if (path === 'next31January') return next31January(outside.now());
    const value = readPath(Object.fromEntries(names), path);
    if (value === undefined) throw new Error(`nothing was saved as ${path}`);
    return value;
  }
}

/** Noon in the operator's zone (Asia/Singapore, as seeded) on the next 31 January: an anchor that most months lack. */
function next31January(now: Date): string {
  const noon = (year: number) => new Date(Date.UTC(year, 0, 31, 4));
  const thisYear = noon(now.getUTCFullYear());
  return (thisYear > now ? thisYear : noon(now.getUTCFullYear() + 1)).toISOString();
}

const waitSecondsDefault = 10;
const pollMs = 20;

/** How the exchange itself ended: as asked, refused by the rule that was named, or well. */
function endFaults(step: Step, { status, answer }: Exchange): string[] {
  const isCommandLine = step.bss !== undefined;
  if (step.refused !== undefined) {
    const isRefused = isCommandLine ? status === 1 : status >= 400 && status < 500;
    const reason = readPath(answer, 'reason');
    return [
      ...(isRefused ? [] : [`expected a refusal, found ${isCommandLine ? 'exit code' : 'status'} ${status}`]),
      ...(reason === step.refused
        ? []
        : [`reason: expected ${JSON.stringify(step.refused)}, found ${JSON.stringify(reason) ?? 'nothing'}`]),
    ];
  }
  if (step.status !== undefined)
    return status === step.status ? [] : [`status: expected ${step.status}, found ${status}`];
  const isWell = isCommandLine ? status === 0 : status >= 200 && status < 300;
  return isWell ? [] : [`${isCommandLine ? 'exit code' : 'status'}: expected success, found ${status}`];
}

function saveFrom(
  step: Step,
  names: Scope,
  read: (path: string) => Json | undefined,
  sentence: string,
  exchange?: Exchange,
): void {
  const wanted = Array.isArray(step.save)
    ? step.save.map((name) => [name, name] as const)
    : Object.entries(step.save ?? {});
  for (const [name, path] of wanted) {
    const value = read(path);
    if (value === undefined) throw new StepFailed(sentence, [`${path}: nothing to save as ${name}`], exchange);
    names.set(name, value);
  }
}

/** Splits a command line at blanks; what stands between single quotes stays together. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}
