import type { DashboardView } from '../../../read/views/dashboard.ts';
import { remoteDoor } from '../agent-door.ts';
import { type Candidate, candidates, liveOf } from '../complete.ts';
import { type Connection, callTool, connectionOf } from '../connection.ts';
import { shortVerbs, type Verb } from '../descriptors.ts';
import { drawFailure, refusedFailure, unknownServer, unreachableFailure } from '../failure.ts';
import { UsageError } from '../input.ts';
import type { ExitCode, OwnOptions } from '../options.ts';
import { failed, styleOf, tell } from '../perform.ts';
import { drawReply, drawSessions, drawTurns } from '../render/conversation.ts';
import { paintOf } from '../render/paint.ts';
import { plainText, plainValue } from '../render/plain.ts';
import { stateLine } from '../render/state-line.ts';
import { wrap } from '../render/text.ts';
import type { Editing, Terminal } from '../terminal.ts';
import { whileWaiting } from '../waiting.ts';
import { type ChatDoor, chatDoor, type Reply, type Told } from './chat-door.ts';
import { type History, holdsCard, openHistory } from './history.ts';
import { splitWords, wordsUpTo } from './words.ts';

export interface ConsoleOptions extends OwnOptions {
  /** With the last conversation, or with that one. */
  resume?: boolean | string;
}

/** Runs one command line, as it runs outside of the console. */
type RunLine = (words: readonly string[], terminal: Terminal) => Promise<ExitCode>;

interface House {
  readonly connection: Connection;
  /** Those that the caller has: what another may do is not offered. */
  verbs: readonly Verb[];
  readonly own: OwnOptions;
  readonly terminal: Terminal;
  readonly chat: ChatDoor;
  readonly history: History;
  readonly runLine: RunLine;
  /** The conversation that goes on. */
  session: string | undefined;
  /** False once this server was found to have no assistant. */
  hasChat: boolean;
  /** It was said that rules answer here, which need not be said again. */
  saidRules: boolean;
}

/** Words of the console itself. */
const ownWords: readonly Candidate[] = [
  { value: 'help', about: 'what can be typed here' },
  { value: 'sessions', about: 'conversations that were had' },
  { value: 'resume', about: 'go on with a conversation' },
  { value: 'new', about: 'begin another conversation' },
  { value: 'exit', about: 'leave' },
];

/** The operator's console: verbs and plain language at one prompt, until the person leaves. */
export async function converse(
  own: ConsoleOptions,
  verbs: readonly Verb[],
  terminal: Terminal,
  runLine: RunLine,
): Promise<ExitCode> {
  const connection = connectionOf(own, terminal.env, terminal.folder);
  if (!connection) return failed(unknownServer, own, undefined, terminal);
  if (!terminal.editLine) return 2;
  const chat = chatDoor(connection, terminal.fetch);
  const history = openHistory(terminal.env);
  const house: House = {
    connection,
    verbs,
    own: colorOf(own),
    terminal,
    chat,
    history,
    runLine,
    session: undefined,
    hasChat: true,
    saidRules: false,
  };
  await welcome(house, own.resume);
  const paint = paintOf(styleOf(terminal, own).color);
  const prompt = `${paint.accent(connection.profile ?? 'airtime')} ${paint.strong('›')} `;
  const { complete, forget } = completer(house);
  const editing: Editing = { history: history.lines, complete };
  for (;;) {
    const line = await terminal.editLine(prompt, editing);
    if (line === undefined) return 0;
    if (line.trim() === '') continue;
    history.add(line);
    try {
      if (!(await act(line.trim(), house))) return 0;
    } catch (error) {
      // What goes wrong with one line is told, and the next can be typed.
      terminal.error(`✗ ${plainText(error instanceof Error ? error.message : String(error))}\n`);
    }
    // What was done may have made what Tab is asked for next.
    forget();
    await showState(house);
  }
}

const colorOf = ({ server, profile, color }: OwnOptions): OwnOptions => ({
  ...(server === undefined ? {} : { server }),
  ...(profile === undefined ? {} : { profile }),
  ...(color === undefined ? {} : { color }),
});

// ---- what stands above the prompt ----

async function welcome(house: House, resume: boolean | string | undefined): Promise<void> {
  const { terminal, own } = house;
  const [isShown, before] = await Promise.all([showState(house), house.chat.sessions()]);
  if (!isShown) await keepOwnVerbs(house);
  const paint = paintOf(styleOf(terminal, own).color);
  house.hasChat = before.outcome !== 'absent';
  const how = house.hasChat
    ? ['Type a verb, or ask in plain words. Tab completes, help says more, exit leaves.']
    : ['Type a verb. Tab completes, help says more, exit leaves.', 'Plain language is not available on this server.'];
  for (const line of how.flatMap((one) => wrapped(one, house))) terminal.out(`${paint.quiet(line)}\n`);
  if (resume !== undefined && resume !== false) {
    await goOn(house, typeof resume === 'string' ? resume : undefined);
    return;
  }
  const last = before.outcome === 'done' ? before.value[0] : undefined;
  if (last) terminal.out(`${paint.quiet('To go on with the last conversation, type')} ${paint.accent('resume')}\n`);
}

/** Somebody who may not see the business is no operator, and has fewer tools. */
async function keepOwnVerbs(house: House): Promise<void> {
  try {
    const { tools } = await remoteDoor(house.connection, house.terminal.fetch).list();
    const names = new Set(tools.map((tool) => tool.name));
    house.verbs = house.verbs.filter((verb) => names.has(verb.name));
  } catch {
    // Nobody answered, which was told: all that could be typed is offered.
  }
}

const stateMsMax = 3000;

/**
 * Two lines of how the business stands; for a caller who may not see it, and when nobody answers, what is known.
 * @returns whether the business was shown
 */
async function showState(house: House): Promise<boolean> {
  const { connection, terminal, own } = house;
  const style = styleOf(terminal, own);
  const paint = paintOf(style.color);
  const how = { answerMs: stateMsMax };
  const answer = await callTool(connection, 'dashboard.show', { recent: 0 }, terminal.fetch, how);
  terminal.out('\n');
  if (answer.outcome === 'unreachable') {
    const failure = unreachableFailure(connection, answer.message, answer.isRefusedConnection);
    terminal.error(drawFailure(failure, style));
    return false;
  }
  const drawn = answer.outcome === 'done' ? drawnState(answer.result, house) : undefined;
  terminal.out(drawn ?? `${paint.quiet(`─ ${plainText(connection.url)}`)}\n`);
  return drawn !== undefined;
}

function drawnState(result: unknown, { connection, terminal, own }: House): string | undefined {
  try {
    // The server checked it against the schema that this type is made from.
    const view = plainValue(result) as DashboardView;
    return stateLine(view, connection.profile ?? 'Airtime', styleOf(terminal, own));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return undefined;
  }
}

function wrapped(text: string, { terminal, own }: House): string[] {
  return wrap(text, styleOf(terminal, own).width);
}

// ---- one line ----

/** @returns false when the person leaves */
async function act(line: string, house: House): Promise<boolean> {
  const words = splitWords(line)?.filter((word, index) => index > 0 || word !== 'bss');
  const [first = '', ...rest] = words ?? [];
  if (words && rest.length === 0 && ['exit', 'quit', ':q'].includes(first)) return false;
  if (words && (first === 'help' || first === '?')) return help(rest, house);
  if (words && first === 'sessions' && rest.length === 0) return listSessions(house);
  if (words && first === 'resume' && rest.length <= 1) {
    await goOn(house, rest[0]);
    return true;
  }
  if (words && first === 'new' && rest.length === 0) {
    house.session = undefined;
    house.terminal.out('The next plain words begin another conversation.\n');
    return true;
  }
  if (words && isVerbLine(words, house.verbs)) {
    if (first === 'mcp')
      throw new Error('bss mcp serves an agent over standard input: start it outside of the console.');
    await house.runLine([...inherited(house.own), ...words], inner(house.terminal));
    return true;
  }
  if (!words && isVerbLine(line.split(/\s+/), house.verbs)) throw new Error('A quotation is not closed.');
  await say(line, house);
  return true;
}

/** What was said when the console was opened holds for each of its lines. */
function inherited({ server, profile, color }: OwnOptions): string[] {
  return [
    ...(server === undefined ? [] : ['--server', server]),
    ...(profile === undefined ? [] : ['--profile', profile]),
    ...(color === false ? ['--no-color'] : []),
  ];
}

/** A console does not open another. */
function inner({ editLine: _, ...terminal }: Terminal): Terminal {
  return terminal;
}

const standing = ['doctor', 'profile', 'preview', 'completion', 'mcp', 'tools', 'help'];

/**
 * Whether a line is a command. Nouns are words of plain language too: `order me a plan for Ada` is none, as its second
 * word is no verb of an order and nothing in it is an id or an option; nor is `customer ada`, while `customer shw` is one
 * that was mistyped.
 */
export function isVerbLine(words: readonly string[], verbs: readonly Verb[]): boolean {
  const [first = '', second] = words.map((word) => word.replaceAll('_', '-'));
  if (first.startsWith('-')) return true;
  if (standing.includes(first)) return words.length <= 2 || isTyped(words);
  const own = verbs.filter((verb) => verb.noun === first);
  const isShort = Object.hasOwn(shortVerbs, first);
  if (own.length === 0 && !isShort) return false;
  if (second === undefined || second.startsWith('-')) return true;
  if (own.some((verb) => verb.verb === second) || (first === 'usage' && second === 'import')) return true;
  return isTyped(words) || (words.length === 2 && (isShort || own.some((verb) => isSlip(second, verb.verb))));
}

/** Whether a word is a verb that was mistyped: a letter wrong, missing or too many, two in a long one. */
function isSlip(typed: string, verb: string): boolean {
  const slipsMax = verb.length > 4 ? 2 : 1;
  let row = Array.from({ length: verb.length + 1 }, (_, index) => index);
  for (const [at, letter] of [...typed].entries()) {
    const next = [at + 1];
    for (let index = 1; index <= verb.length; index += 1) {
      const changed = (row[index - 1] ?? 0) + (verb[index - 1] === letter ? 0 : 1);
      next.push(Math.min(changed, (row[index] ?? 0) + 1, (next[index - 1] ?? 0) + 1));
    }
    row = next;
  }
  return (row[verb.length] ?? 0) <= slipsMax;
}

/** Somebody who types an id or an option types a command. */
function isTyped(words: readonly string[]): boolean {
  return words.some((word) => /^--?[a-z]/.test(word) || /^[a-z]{2,4}_[0-9a-z]+$/.test(word));
}

async function help(words: readonly string[], house: House): Promise<boolean> {
  const { terminal, own, verbs, runLine } = house;
  const [first] = words;
  if (first !== undefined) {
    const isCommand = isVerbLine([first], verbs) || standing.includes(first);
    await runLine([...inherited(own), ...(isCommand ? [...words, '--help'] : ['help', ...words])], inner(terminal));
    return true;
  }
  const paint = paintOf(styleOf(terminal, own).color);
  // What only keeps a body of the standard is listed by bss --help.
  const everyday = verbs.filter((verb) => !['create', 'patch', 'delete'].includes(verb.verb));
  const nouns = [...new Set(everyday.map((verb) => verb.noun))];
  const entries: readonly (readonly [string, string])[] = [
    ['customer list', 'a verb, as outside but without bss; Tab completes nouns, verbs, options and ids'],
    ['help order place', 'how a verb is typed, what may refuse it, and examples'],
    ['preview order place …', 'what it would do, and nothing is done'],
    ['top', 'the day’s business as it goes; q leaves'],
    ...(house.hasChat
      ? ([
          ['why is Ada blocked?', 'anything else is asked of the assistant; what it proposes, you confirm'],
          ['sessions, resume, new', 'conversations: had before, go on with one, begin another'],
        ] as const)
      : []),
    ['exit', 'leave, as Ctrl-D does'],
  ];
  const wide = Math.max(...entries.map(([typed]) => typed.length)) + 2;
  for (const [typed, about] of entries) {
    const [head = '', ...more] = wrap(about, Math.max(20, styleOf(terminal, own).width - wide - 2));
    terminal.out(`  ${paint.accent(typed.padEnd(wide))}${head}\n`);
    for (const line of more) terminal.out(`  ${' '.repeat(wide)}${line}\n`);
  }
  const listed = wrapped(`Nouns: ${nouns.join(', ')}. All of them: bss --help`, house);
  terminal.out(`${listed.map(paint.quiet).join('\n')}\n`);
  return true;
}

// ---- plain language ----

const noChat = 'Plain language is not available on this server. Verbs are: help shows how.';

async function say(text: string, house: House): Promise<void> {
  const { terminal, chat } = house;
  if (holdsCard(text)) {
    throw new Error(
      'This holds a card number: it was sent to nobody. A card is added by the token of the card gateway.',
    );
  }
  const told = await whileWaiting(terminal, 'The assistant works on it', async (): Promise<Told<Reply>> => {
    for (let isSecond = false; ; isSecond = true) {
      if (house.session === undefined) {
        const begun = await chat.start();
        if (begun.outcome !== 'done') return begun;
        house.session = begun.value;
      }
      const reply = await chat.say(house.session, text);
      if (reply.outcome !== 'absent' || isSecond) return reply;
      // The conversation is not there any more: its words are said in another.
      house.session = undefined;
    }
  });
  if (told.outcome === 'done') {
    house.hasChat = true;
    const { assistant } = told.value;
    const reply = { ...told.value, assistant: house.saidRules ? ('model' as const) : assistant };
    house.saidRules ||= assistant === 'rules';
    terminal.out(drawReply(reply, styleOf(terminal, house.own)));
    for (const proposed of told.value.proposals) await propose(proposed, house);
    return;
  }
  tellTrouble(told, house);
}

function tellTrouble(told: Exclude<Told<unknown>, { outcome: 'done' }>, house: House): void {
  const { terminal, connection, own, verbs } = house;
  const style = styleOf(terminal, own);
  if (told.outcome === 'absent') {
    house.hasChat = false;
    terminal.error(`${wrapped(noChat, house).join('\n')}\n`);
  } else if (told.outcome === 'unreachable') {
    terminal.error(drawFailure(unreachableFailure(connection, told.message, /ECONNREFUSED/.test(told.message)), style));
  } else {
    terminal.error(drawFailure(refusedFailure(askVerb, verbs, told.status, told.error), style));
  }
}

/** For the picture of a refusal, which names what was asked. */
const askVerb: Verb = {
  name: 'chat',
  noun: 'help',
  verb: '',
  summary: '',
  audience: [],
  effect: 'write',
  input: {},
  rules: [],
  positional: [],
  examples: [],
  view: undefined,
};

/** What the assistant would do is shown to the person, who says yes or no; the yes goes to the tool itself. */
async function propose(proposed: Reply['proposals'][number], house: House): Promise<void> {
  const { verbs, connection, own, terminal } = house;
  const verb = verbs.find((one) => one.name === proposed.tool);
  if (!verb) throw new Error(`The assistant proposed ${plainText(proposed.tool)}, which this bss does not know.`);
  const call = { verb, verbs, input: proposed.input, own, connection, terminal, isPreview: false };
  const answer = { outcome: 'proposed', proposal: proposed.proposal, token: proposed.token } as const;
  const { text } = await tell(call, answer);
  terminal.out(text);
}

async function listSessions(house: House): Promise<boolean> {
  const { terminal, own } = house;
  const told = await house.chat.sessions();
  if (told.outcome === 'done') {
    terminal.out(drawSessions(told.value, house.session, new Date().toISOString(), styleOf(terminal, own)));
  } else {
    tellTrouble(told, house);
  }
  return true;
}

const turnsShown = 6;

/** Goes on with a conversation: the one that is named, or the last. */
async function goOn(house: House, named: string | undefined): Promise<void> {
  const { terminal, chat } = house;
  let session = named;
  if (session === undefined) {
    const told = await chat.sessions();
    if (told.outcome !== 'done') {
      tellTrouble(told, house);
      return;
    }
    const latest = [...told.value].sort((a, b) => (b.lastAt ?? '').localeCompare(a.lastAt ?? ''))[0];
    if (!latest) {
      terminal.out('There is no conversation to go on with: plain words begin one.\n');
      return;
    }
    session = latest.id;
  }
  const told = await chat.turns(session);
  if (told.outcome === 'absent' && house.hasChat) {
    throw new UsageError(`There is no conversation ${session} of yours. Those there are: sessions`);
  }
  if (told.outcome !== 'done') {
    tellTrouble(told, house);
    return;
  }
  house.session = session;
  const style = styleOf(terminal, house.own);
  const paint = paintOf(style.color);
  const hidden = told.value.length - turnsShown;
  if (hidden > 0) terminal.out(`${paint.quiet(`  ${hidden} earlier turns`)}\n`);
  terminal.out(drawTurns(told.value.slice(-turnsShown), style));
  terminal.out(`${paint.quiet(`It goes on: ${plainText(session)}`)}\n`);
}

// ---- completion ----

const rememberedMs = 5000;

function completer(house: House): Pick<Editing, 'complete'> & { forget(): void } {
  const { terminal, own, verbs } = house;
  const ask = liveOf(own, terminal);
  const remembered = new Map<string, { at: number; answer: Promise<unknown> }>();
  // A person who presses the key again and again asks the server once.
  const live = (tool: string): Promise<unknown> => {
    const known = remembered.get(tool);
    if (known && Date.now() - known.at < rememberedMs) return known.answer;
    const answer = ask(tool);
    remembered.set(tool, { at: Date.now(), answer });
    return answer;
  };
  const complete: Editing['complete'] = async (line) => {
    const words = wordsUpTo(line.replace(/^\s*bss\s+/, ''));
    const fragment = words.at(-1) ?? '';
    const found = await foundFor(words, house, live);
    const offered = found.filter(({ value }) => value !== ':files');
    const [only] = offered;
    if (only && offered.length === 1) return [[`${only.value} `], fragment];
    return [
      offered.map(({ value, about, isLive }) => (isLive && about !== '' ? `${value}  ${about}` : value)),
      fragment,
    ];
  };
  return { complete, forget: () => remembered.clear() };

  async function foundFor(words: readonly string[], { chat }: House, of: typeof live): Promise<Candidate[]> {
    if (words[0] === 'help' && words.length > 1) return candidates(words.slice(1), verbs, of, terminal.env);
    if (words[0] === 'resume' && words.length === 2) {
      const told = await chat.sessions();
      const all = told.outcome === 'done' ? told.value : [];
      return all
        .filter(({ id }) => id.startsWith(words[1] ?? ''))
        .map(({ id, title }) => ({ value: id, about: title }));
    }
    return candidates(words, verbs, of, terminal.env, ownWords);
  }
}
