import { Command, CommanderError, Option } from 'commander';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { remoteDoor } from './agent-door.ts';
import { completionScript, shells } from './completion.ts';
import { type Answer, callTool, connectionOf } from './connection.ts';
import { kebab, type Verb } from './descriptors.ts';
import { examine } from './doctor.ts';
import { drawFailure, type Failure, refusedFailure, unknownServer, unreachableFailure } from './failure.ts';
import { type ImportOptions, importFormats, importUsage, resultFormats } from './import-usage.ts';
import { type Field, fieldsOf, missing, placeholder, readJson, readValue, setAt, UsageError } from './input.ts';
import { showMade } from './made.ts';
import { draw } from './render/draw.ts';
import { drawProposal } from './render/proposal.ts';
import { plainText, type Style, wrap } from './render/text.ts';
import { type Terminal, wantsColor } from './terminal.ts';

/** 0 done, 1 refused or failed, 2 wrong usage. */
export type ExitCode = 0 | 1 | 2;

interface OwnOptions {
  json?: boolean;
  server?: string;
  watch?: boolean | string;
  yes?: boolean;
  color?: boolean;
  input?: string;
}

/** Verbs that are typed without their noun, for they are typed often. */
const short: Readonly<Record<string, string>> = { trace: 'event.trace', rules: 'rule.list', top: 'dashboard.show' };
/** Shown again as it changes without being asked to, where a person looks. */
const live: readonly string[] = ['top'];

/** Runs one command line, given without the program's own name. */
export async function run(
  args: readonly string[],
  verbs: readonly Verb[],
  version: string,
  terminal: Terminal,
): Promise<ExitCode> {
  let exit: ExitCode = 0;
  const program = makeProgram(verbs, version, terminal, (code) => {
    exit = code;
  });
  if (args.length === 0) {
    terminal.out(program.helpInformation());
    return 0;
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof UsageError) {
      terminal.error(`bss: ${plainText(error.message)}\n`);
      return 2;
    }
    throw error;
  }
}

function makeProgram(
  verbs: readonly Verb[],
  version: string,
  terminal: Terminal,
  done: (code: ExitCode) => void,
): Command {
  const program = dressed(new Command('bss'), terminal)
    .description('Airtime, the back office of a mobile operator, at the terminal')
    .usage('<noun> <verb> [options]')
    .version(version, '--version')
    .option('--json', 'print the answer as JSON')
    .option('--server <url>', 'where the server is (AIRTIME_URL, else .airtime/cli.json); who you are is AIRTIME_TOKEN')
    .addOption(new Option('--token [token]').argParser(refuseSecret).hideHelp())
    .option('-w, --watch [seconds]', 'show again as it changes (reads only)')
    .option('-y, --yes', 'do not ask before money moves or something is destroyed')
    .option('--input <json>', 'the whole input as JSON, @file, or - for standard input')
    .option('--no-color', 'no colour')
    .helpCommand(false);
  const nouns = new Map<string, Verb[]>();
  for (const verb of verbs) nouns.set(verb.noun, [...(nouns.get(verb.noun) ?? []), verb]);
  // What people work with comes first; what only keeps a body of the standard comes after.
  const isStandard = (own: readonly Verb[]) => own.every((verb) => ['create', 'patch', 'delete'].includes(verb.verb));
  for (const [noun, own] of nouns) {
    const under = dressed(new Command(noun), terminal)
      .summary(own.map((verb) => verb.verb).join(', '))
      .description(`${noun}: what can be done with it`)
      .usage('<verb> [options]')
      .helpGroup(isStandard(own) ? 'Nouns of the standard, by their bodies:' : 'Nouns:')
      .helpCommand(false);
    for (const verb of own) {
      // A noun that can be shown without saying which is shown when nothing else is said: `bss clock`.
      const isDefault = verb.verb === 'show' && verb.positional.length === 0;
      under.addCommand(alsoWritten(leaf(verb, verb.verb, verbs, terminal, done)), { isDefault });
    }
    if (noun === 'usage') under.addCommand(importCommand(terminal, done));
    program.addCommand(alsoWritten(under));
  }
  program.addCommand(previews(verbs, terminal, done));
  program.commandsGroup('Short:');
  for (const [name, tool] of Object.entries(short)) {
    const verb = verbs.find((one) => one.name === tool);
    if (verb) program.addCommand(leaf(verb, name, verbs, terminal, done));
  }
  program.addCommand(
    dressed(new Command('doctor'), terminal)
      .description('Say what is wrong with this installation and how to mend it')
      .action(async (_options, command: Command) => {
        done(await examine(command.optsWithGlobals<OwnOptions>(), terminal));
      }),
  );
  program.addCommand(
    dressed(new Command('mcp'), terminal)
      .description('Serve an agent on this machine over standard input and output (Model Context Protocol)')
      .action(async (_options, command: Command) => {
        const connection = connectionOf(command.optsWithGlobals<OwnOptions>(), terminal.env, terminal.folder);
        if (connection?.token === undefined || !terminal.serveAgent) {
          const own = { ...command.optsWithGlobals<OwnOptions>(), json: false };
          done(failed(unknownServer, own, undefined, terminal, { width: terminal.columns(), color: false }));
          return;
        }
        await terminal.serveAgent(remoteDoor(connection, terminal.fetch), connection.token);
      }),
  );
  program.addCommand(
    dressed(new Command('completion'), terminal)
      .description(`Print a completion script for a shell: ${shells.join(', ')}`)
      .argument('<shell>')
      .action((shell: string) => {
        terminal.out(completionScript(shell, verbs));
      }),
  );
  return program;
}

/** A file is no input of a tool: it goes through the door for usage at volume. */
function importCommand(terminal: Terminal, done: (code: ExitCode) => void): Command {
  return dressed(new Command('import'), terminal)
    .summary('Charge a file of usage records')
    .description('Charge a file of usage records, NDJSON or CSV, and print what became of each.')
    .argument('<file>', 'the file, or - for standard input')
    .option('--from <format>', `what the file is: ${importFormats.join(' or ')} (by its name when not given)`)
    .option('--to <format>', `what is printed: ${resultFormats.join(', ')} (as the file when not given)`)
    .addHelpText(
      'after',
      '\nExamples:\n  bss usage import july.csv\n  zcat july.ndjson.gz | bss usage import - --to refused',
    )
    .action(async (path: string, _options, command: Command) => {
      done(await importUsage(path, command.optsWithGlobals<ImportOptions>(), terminal));
    });
}

// Whoever may list the processes of this machine reads their arguments, and a shell's history keeps them.
function refuseSecret(): never {
  throw new UsageError(
    '--token: a secret is not given by argument. Set AIRTIME_TOKEN, or AIRTIME_TOKEN_FILE to a file that holds it.',
  );
}

/** Its names from the program down, without other spellings. */
function usageLine(command: Command): string {
  const names: string[] = [];
  for (let one: Command | null = command; one; one = one.parent) names.unshift(one.name());
  return [...names, command.usage()].join(' ');
}

/** Tools are written `subscription.top_up` in events and rules, so people type that too. */
function alsoWritten(command: Command): Command {
  const written = command.name().replaceAll('-', '_');
  return written === command.name() ? command : command.alias(written);
}

// Every command writes to the same terminal and never ends the process by itself.
function dressed(command: Command, terminal: Terminal): Command {
  return command
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.error(text),
      getOutHelpWidth: () => terminal.columns(),
      getErrHelpWidth: () => terminal.columns(),
      getOutHasColors: () => wantsColor(terminal, true),
      getErrHasColors: () => false,
    })
    .configureHelp({ showGlobalOptions: true, subcommandTerm: (command) => command.name(), commandUsage: usageLine })
    .helpOption('-h, --help', 'show this help');
}

/** `bss preview order place …`: what a command would do, judged by the server now, and nothing kept. */
function previews(verbs: readonly Verb[], terminal: Terminal, done: (code: ExitCode) => void): Command {
  const preview = dressed(new Command('preview'), terminal)
    .summary('what a command that moves money or destroys would do')
    .description('Say what a command that moves money or destroys would do, by rules and price, and do nothing')
    .usage('<noun> <verb> [options]')
    .helpGroup('Short:')
    .helpCommand(false);
  const nouns = new Map<string, Command>();
  for (const verb of verbs.filter((one) => asksBefore(one))) {
    let under = nouns.get(verb.noun);
    if (!under) {
      under = dressed(new Command(verb.noun), terminal)
        .description(`what a command of ${verb.noun} would do`)
        .usage('<verb> [options]')
        .helpCommand(false);
      nouns.set(verb.noun, under);
      preview.addCommand(alsoWritten(under));
    }
    under.addCommand(alsoWritten(leaf(verb, verb.verb, verbs, terminal, done, true)));
  }
  return preview;
}

const asksBefore = (verb: Verb): boolean => verb.effect === 'money' || verb.effect === 'destructive';

const consequences: Readonly<Record<Verb['effect'], string>> = {
  read: '',
  write: '',
  money: 'Money moves: it asks before.',
  destructive: 'Something ends for good: it asks before.',
};

function leaf(
  verb: Verb,
  name: string,
  verbs: readonly Verb[],
  terminal: Terminal,
  done: (code: ExitCode) => void,
  isPreview = false,
): Command {
  const fields = fieldsOf(verb);
  const consequence = isPreview ? 'Says what would happen, and does nothing.' : consequences[verb.effect];
  const command = dressed(new Command(name), terminal)
    .summary(verb.summary)
    .description([`${verb.summary}.`, consequence].filter(Boolean).join(' '));
  for (const field of fields.positional) {
    const label = `${kebab(field.flag)}${field.repeated ? '...' : ''}`;
    // Whether it is there is judged with everything else: --input may have given it.
    command.argument(`[${label}]`, about(field, true));
  }
  command.usage(usageOf(fields.positional));
  for (const field of fields.options) for (const option of optionsOf(field)) command.addOption(option);
  command.addHelpText('after', () => moreHelp(verb, terminal));
  command.action(async (...given: unknown[]) => {
    const byPlace = given.slice(0, fields.positional.length);
    const typed = command.optsWithGlobals<OwnOptions>();
    const isLive = live.includes(name) && terminal.isOutputTty && !typed.json;
    const own = isLive ? { ...typed, watch: typed.watch ?? true } : typed;
    const input = readInput(verb, fields, byPlace, command, own, terminal);
    done(await perform(verb, verbs, input, own, terminal, isPreview));
  });
  return command;
}

function usageOf(positional: readonly Field[]): string {
  return [
    ...positional.map(
      (field) =>
        `${field.required ? '<' : '['}${field.flag}${field.repeated ? '...' : ''}${field.required ? '>' : ']'}`,
    ),
    '[options]',
  ].join(' ');
}

function about(field: Field, isByPlace = false): string {
  const notes = [
    field.choices.length > (isByPlace ? 0 : 4) ? `one of ${field.choices.join(', ')}` : '',
    field.repeated ? 'may be repeated' : '',
    field.required ? 'required' : '',
    field.byDefault === undefined ? '' : `default ${JSON.stringify(field.byDefault)}`,
  ].filter(Boolean);
  return [field.description, notes.length > 0 ? `(${notes.join('; ')})` : ''].filter(Boolean).join(' ');
}

function optionsOf(field: Field): Option[] {
  if (field.kind === 'boolean' && !field.repeated) {
    return [new Option(`--${field.flag}`, about(field)), new Option(`--no-${field.flag}`).hideHelp()];
  }
  const option = new Option(`--${field.flag} <${placeholder(field)}>`, about(field));
  return [
    field.repeated
      ? option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value])
      : option,
  ];
}

function moreHelp(verb: Verb, terminal: Terminal): string {
  const width = terminal.columns();
  const rules = verb.rules.flatMap(({ code, sentence }) => [
    `  ${code}`,
    ...wrap(plainText(sentence), width - 6).map((line) => `      ${line}`),
  ]);
  const examples = verb.examples.map((line) => `  ${line}`);
  return [
    ...(rules.length > 0 ? ['', 'Refused by:', ...rules] : []),
    ...(examples.length > 0 ? ['', 'Examples:', ...examples] : []),
  ].join('\n');
}

function readInput(
  verb: Verb,
  fields: { positional: Field[]; options: Field[] },
  byPlace: readonly unknown[],
  command: Command,
  own: OwnOptions,
  terminal: Terminal,
): JsonObject {
  const readFile = (path: string) => terminal.readFile(path);
  const input: JsonObject = {};
  if (own.input !== undefined) {
    const whole = readJson('--input', own.input, readFile);
    if (!isJsonObject(whole)) throw new UsageError('--input: the input of a tool is a JSON object.');
    Object.assign(input, whole);
  }
  fields.positional.forEach((field, index) => {
    const given = byPlace[index];
    if (typeof given === 'string') setAt(input, field.path, readValue(field, given, readFile, true));
    if (Array.isArray(given) && given.length > 0) {
      setAt(
        input,
        field.path,
        given.map((one) => readValue(field, String(one), readFile, true)),
      );
    }
  });
  for (const field of fields.options) {
    const option = command.options.find((one) => one.long === `--${field.flag}`);
    const given: unknown = option ? command.getOptionValue(option.attributeName()) : undefined;
    if (given === undefined) continue;
    if (typeof given === 'boolean') setAt(input, field.path, given);
    if (typeof given === 'string') setAt(input, field.path, readValue(field, given, readFile));
    if (Array.isArray(given))
      setAt(
        input,
        field.path,
        given.map((one) => readValue(field, String(one), readFile)),
      );
  }
  const lacking = missing([...fields.positional, ...fields.options], input);
  if (lacking) {
    const name = fields.positional.includes(lacking)
      ? `<${lacking.flag}>`
      : `--${lacking.flag} <${placeholder(lacking)}>`;
    throw new UsageError(`${name} is missing. See: bss ${verb.noun} ${verb.verb} --help`);
  }
  return input;
}

// ---- doing it ----

async function perform(
  verb: Verb,
  verbs: readonly Verb[],
  input: JsonObject,
  own: OwnOptions,
  terminal: Terminal,
  isPreview: boolean,
): Promise<ExitCode> {
  const style: Style = { width: terminal.columns(), color: wantsColor(terminal, own.color !== false) };
  const connection = connectionOf(own, terminal.env, terminal.folder);
  if (!connection) return failed(unknownServer, own, undefined, terminal, style);
  if (own.watch && verb.effect !== 'read')
    throw new UsageError(`--watch is for reads; ${verb.noun} ${verb.verb} changes something.`);
  if (asksBefore(verb) && !isPreview && !own.yes && !(terminal.isInputTty && terminal.isErrorTty)) {
    const what = verb.effect === 'money' ? 'moves money' : 'ends something for good';
    throw new UsageError(`${verb.noun} ${verb.verb} ${what} and nobody can be asked here. Add --yes to mean it.`);
  }
  const shown = async (answer: Answer): Promise<{ code: ExitCode; text: string }> => {
    const current = { ...style, width: terminal.columns() };
    switch (answer.outcome) {
      case 'done': {
        if (own.json) return { code: codeOf(answer.result), text: asJson(answer.result) };
        const made =
          verb.effect === 'read' ? undefined : await showMade(connection, verbs, answer.result, terminal, current);
        return made ?? { code: codeOf(answer.result), text: draw(verb, answer.result, current) };
      }
      case 'proposed': {
        if (isPreview)
          return { code: 0, text: own.json ? asJson(answer.proposal) : drawProposal(answer.proposal, current) };
        if (answer.token === undefined) throw new Error('a proposal came without what confirms it');
        if (!own.yes && !(await isAgreed(answer.proposal, terminal, current))) return { code: 1, text: '' };
        const confirmation = answer.token;
        const acted = await callTool(connection, verb.name, input, terminal.fetch, { confirmation });
        if (acted.outcome === 'proposed') throw new Error('the server proposed what was confirmed');
        return shown(acted);
      }
      case 'refused': {
        const failure = refusedFailure(verb, verbs, answer.status, answer.error);
        // A body its schema refuses was typed wrong; anything else was understood and refused.
        return { code: failed(failure, own, answer.error, terminal, current, answer.status === 400 ? 2 : 1), text: '' };
      }
      case 'unreachable': {
        const failure = unreachableFailure(connection, answer.message, answer.isRefusedConnection);
        return { code: failed(failure, own, undefined, terminal, current), text: '' };
      }
    }
  };
  const once = async () => shown(await callTool(connection, verb.name, input, terminal.fetch, { isPreview }));
  if (own.watch) return watch(once, own.watch, terminal);
  const { code, text } = await once();
  terminal.out(text);
  return code;
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

function failed(
  failure: Failure,
  own: OwnOptions,
  error: JsonObject | undefined,
  terminal: Terminal,
  style: Style,
  code: ExitCode = 1,
): ExitCode {
  const color = style.color && terminal.isErrorTty;
  terminal.error(
    own.json
      ? asJson(error ?? { message: failure.what, next: [...failure.next] })
      : drawFailure(failure, { ...style, color }),
  );
  return code;
}

// JSON already escapes most controls; the rest are escaped too, so that a terminal obeys none of them.
const unescaped = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** The same value, whatever reads it: what a terminal would obey is written as an escape. */
export function asJson(value: unknown): string {
  const text = JSON.stringify(value ?? null, null, 2);
  return `${text.replace(unescaped, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}

/** Shows what would happen and asks. The proposal goes to the error stream: the output is for what was done. */
async function isAgreed(proposal: JsonObject, terminal: Terminal, style: Style): Promise<boolean> {
  terminal.error(drawProposal(proposal, { ...style, color: style.color && terminal.isErrorTty }));
  const answer = await terminal.ask('Go on? [y/N] ');
  if (/^y(es)?$/i.test(answer?.trim() ?? '')) return true;
  terminal.error('Nothing was done.\n');
  return false;
}

const watchSecondsDefault = 2;
const watchSecondsMin = 0.2;

async function watch(
  once: () => Promise<{ code: ExitCode; text: string }>,
  given: boolean | string,
  terminal: Terminal,
): Promise<ExitCode> {
  const seconds = typeof given === 'string' ? Number(given) : watchSecondsDefault;
  if (!(seconds >= watchSecondsMin))
    throw new UsageError(`--watch: "${given}" is not a number of seconds of at least ${watchSecondsMin}.`);
  let shown: string | undefined;
  for (;;) {
    const { code, text } = await once();
    if (code !== 0) return code;
    if (text !== shown) {
      // On a terminal the picture is drawn over itself; in a pipe each change follows the one before.
      const over = `${shown === undefined ? '\u001b[2J' : ''}\u001b[H${text.replaceAll('\n', '\u001b[K\n')}\u001b[J`;
      terminal.out(terminal.isOutputTty ? over : text);
      shown = text;
    }
    if (!(await terminal.pause(seconds * 1000))) return 0;
  }
}
