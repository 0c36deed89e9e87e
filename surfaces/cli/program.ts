import { Command, CommanderError, type Help, Option } from 'commander';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { asksBefore, kebab, shortVerbs, type Verb } from './descriptors.ts';
import { helpCommand } from './help-command.ts';
import { rowImportCommand, rowImports } from './import-rows-command.ts';
import type { ImportOptions } from './import-usage.ts';
import { type Field, fieldsOf, missing, placeholder, readJson, readValue, setAt, UsageError } from './input.ts';
import type { ExitCode, OwnOptions } from './options.ts';
import { addProfileVerbs } from './profile-command.ts';
import { type Terminal, wantsColor } from './terminal.ts';
import { toolsCommand } from './tools-command.ts';

// What a run does not need is not loaded: help, and the completion behind a tab key, are waited for.

/** Shown again as it changes without being asked to, where a person looks. */
const live: readonly string[] = ['top'];

/** Runs one command line, given without the program's own name. */
export async function run(
  args: readonly string[],
  verbs: readonly Verb[],
  version: string,
  terminal: Terminal,
): Promise<ExitCode> {
  if (args[0] === 'complete') {
    const { printCandidates } = await import('./complete.ts');
    await printCandidates(args.slice(args[1] === '--' ? 2 : 1), verbs, terminal);
    return 0;
  }
  let exit: ExitCode = 0;
  const program = makeProgram(verbs, version, terminal, (code) => {
    exit = code;
  });
  try {
    if (namesNothing(program, args)) {
      if (terminal.isInputTty && terminal.isOutputTty && terminal.editLine) {
        const { converse } = await import('./console/console.ts');
        return await converse(program.opts(), verbs, terminal, (line, inner) => run(line, verbs, version, inner));
      }
      if (args.length === 0) {
        program.outputHelp();
        return 0;
      }
    }
    await program.parseAsync([...args], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof UsageError) {
      await tellWrong(error.message, error.of, terminal);
      return 2;
    }
    throw error;
  }
}

/** Options at most: no verb, and nothing that is unknown. */
function namesNothing(program: Command, args: readonly string[]): boolean {
  const { operands, unknown } = program.parseOptions([...args]);
  return operands.length === 0 && unknown.length === 0;
}

function makeProgram(
  verbs: readonly Verb[],
  version: string,
  terminal: Terminal,
  done: (code: ExitCode) => void,
): Command {
  const program = dressed(new Command('bss'), terminal)
    .description('Airtime, the back office of a mobile operator, at the terminal. Alone it opens a console.')
    .usage('<noun> <verb> [options]')
    .version(version, '--version')
    .option('--json', 'print the answer as JSON')
    .option('--profile <name>', 'the server of that name, see bss profile (AIRTIME_PROFILE)')
    .option('--server <url>', 'where the server is (AIRTIME_URL, else .airtime/cli.json); who you are is AIRTIME_TOKEN')
    .addOption(new Option('--token [token]').argParser(refuseSecret).hideHelp())
    .option('-w, --watch [seconds]', 'show again as it changes (reads only)')
    .option('-y, --yes', 'do not ask before money moves or something is destroyed')
    .option('--input <json>', 'the whole input as JSON, @file, or - for standard input')
    .option('--no-color', 'no colour')
    .option('--resume [session]', 'open the console with the last conversation, or with that one')
    .addHelpText(
      'after',
      [
        '\nExamples:',
        '  bss                                open the console',
        '  bss customer list ada@example.com  find somebody',
        '  bss order place cus_… PLAN_S       sell a line: it asks before money moves',
        '  bss order place --help             how a verb is typed, what may refuse it, examples',
        '  bss top                            the day as it goes',
      ].join('\n'),
    )
    .helpCommand(false);
  const growths = new Map<Command, () => void>();
  program.hook('preSubcommand', (_, command) => growths.get(command)?.());
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
    // Its verbs are made when the noun is typed: all of them at once would take as long as everything else.
    growths.set(under, () => {
      for (const verb of own) {
        const file = rowImports.find(({ tool }) => tool === verb.name);
        if (file) {
          under.addCommand(rowImportCommand(dressed(new Command(verb.verb), terminal), file, verbs, terminal, done));
          continue;
        }
        // A noun that can be shown without saying which is shown when nothing else is said: `bss clock`.
        const isDefault = verb.verb === 'show' && verb.positional.length === 0;
        under.addCommand(alsoWritten(leaf(verb, verb.verb, verbs, terminal, done)), { isDefault });
      }
      if (noun === 'usage') under.addCommand(importCommand(terminal, done));
    });
    program.addCommand(alsoWritten(under));
  }
  program.commandsGroup('Short:');
  const preview = previewCommand(terminal);
  growths.set(preview, () => addPreviews(preview, verbs, terminal, done));
  program.addCommand(preview);
  for (const [name, tool] of Object.entries(shortVerbs)) {
    const verb = verbs.find((one) => one.name === tool);
    if (verb) program.addCommand(leaf(verb, name, verbs, terminal, done));
  }
  const help = dressed(new Command('help'), terminal).helpCommand(false);
  const search = dressed(new Command('search'), terminal);
  program.addCommand(helpCommand(help, search, terminal, () => program.helpInformation()));
  program.addCommand(toolsCommand(dressed(new Command('tools'), terminal), terminal));
  const profile = dressed(new Command('profile'), terminal)
    .summary('keep servers by name: list, add, use, remove')
    .description('Servers by name. Their tokens are kept in a file that you alone can read.')
    .usage('<verb> [options]')
    .helpCommand(false);
  growths.set(profile, () => addProfileVerbs(profile, (name) => dressed(new Command(name), terminal), terminal, done));
  program.addCommand(profile);
  program.addCommand(
    dressed(new Command('doctor'), terminal)
      .description('Say what is wrong with this installation and how to mend it')
      .addHelpText('after', '\nExamples:\n  bss doctor\n  bss --profile production doctor')
      .action(async (_options, command: Command) => {
        const { examine } = await import('./doctor.ts');
        done(await examine(command.optsWithGlobals<OwnOptions>(), verbs, terminal));
      }),
  );
  program.addCommand(
    dressed(new Command('mcp'), terminal)
      .description('Serve an agent on this machine over standard input and output (Model Context Protocol)')
      .action(async (_options, command: Command) => {
        const own = { ...command.optsWithGlobals<OwnOptions>(), json: false };
        const { connectionOf } = await import('./connection.ts');
        const connection = connectionOf(own, terminal.env, terminal.folder);
        if (connection?.token === undefined || !terminal.serveAgent) {
          const [{ failed }, { unknownServer }] = await Promise.all([import('./perform.ts'), import('./failure.ts')]);
          done(failed(unknownServer, { ...own, color: false }, undefined, terminal));
          return;
        }
        const { remoteDoor } = await import('./agent-door.ts');
        await terminal.serveAgent(remoteDoor(connection, terminal.fetch), connection.token);
      }),
  );
  program.addCommand(
    dressed(new Command('completion'), terminal)
      .description('Print a completion script for a shell: bash, zsh, fish')
      .argument('<shell>')
      .addHelpText('after', '\nExamples:\n  eval "$(bss completion bash)"\n  bss completion fish | source')
      .action(async (shell: string) => {
        const { completionScript } = await import('./completion.ts');
        terminal.out(completionScript(shell));
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
    .option('--from <format>', 'what the file is: ndjson or csv (by its name when not given)')
    .option('--to <format>', 'what is printed: ndjson, csv, refused, none (as the file when not given)')
    .addHelpText(
      'after',
      '\nExamples:\n  bss usage import july.csv\n  zcat july.ndjson.gz | bss usage import - --to refused',
    )
    .action(async (path: string, _options, command: Command) => {
      const { importUsage } = await import('./import-usage.ts');
      done(await importUsage(path, command.optsWithGlobals<ImportOptions>(), terminal));
    });
}

/** What was typed wrong, and the help of what it was about. */
async function tellWrong(message: string, command: string | undefined, terminal: Terminal): Promise<void> {
  const { drawFailure } = await import('./failure.ts');
  const what = `${message.charAt(0).toUpperCase()}${message.slice(1)}`.trim();
  const next = command === undefined ? [] : [`${command} --help`];
  const color = terminal.isErrorTty && wantsColor(terminal, true);
  terminal.error(drawFailure({ what, facts: [], next }, { width: terminal.columns(), color }));
}

// Whoever may list the processes of this machine reads their arguments, and a shell's history keeps them.
function refuseSecret(): never {
  throw new UsageError(
    '--token: a secret is not given by argument. Set AIRTIME_TOKEN, or AIRTIME_TOKEN_FILE to a file that holds it.',
  );
}

/** Its names from the program down, without other spellings. */
function spelled(command: Command): string {
  const names: string[] = [];
  for (let one: Command | null = command; one; one = one.parent) names.unshift(one.name());
  return names.join(' ');
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
      // It is told as every other failure is: `error: unknown command 'shw'\n(Did you mean show?)`
      outputError: (text) => {
        const [what = '', hint = ''] = text
          .replace(/^error: /, '')
          .trim()
          .split('\n');
        throw new UsageError(
          `${what.replace(/\.$/, '')}. ${hint.replace(/^\((.*)\)$/, '$1')}`.trim(),
          spelled(command),
        );
      },
    })
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (one) => one.name(),
      commandUsage: (one) => `${spelled(one)} ${one.usage()}`,
    })
    .helpOption('-h, --help', 'show this help');
}

/** `bss preview order place …`: what a command would do, judged by the server now, and nothing kept. */
function previewCommand(terminal: Terminal): Command {
  return dressed(new Command('preview'), terminal)
    .summary('what a command that moves money or destroys would do')
    .description('Say what a command that moves money or destroys would do, by rules and price, and do nothing')
    .usage('<noun> <verb> [options]')
    .helpCommand(false)
    .addHelpText('after', '\nExamples:\n  bss preview order place cus_… PLAN_S');
}

function addPreviews(
  preview: Command,
  verbs: readonly Verb[],
  terminal: Terminal,
  done: (code: ExitCode) => void,
): void {
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
}

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
  command.addHelpText('after', () => moreHelp(verb, command.createHelp(), terminal.columns()));
  command.action(async (...given: unknown[]) => {
    const byPlace = given.slice(0, fields.positional.length);
    const typed = command.optsWithGlobals<OwnOptions>();
    const isLive = live.includes(name) && terminal.isOutputTty && !typed.json;
    const own = isLive ? { ...typed, watch: typed.watch ?? true } : typed;
    const input = readInput(verb, fields, byPlace, command, own, terminal);
    const { perform } = await import('./perform.ts');
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

function moreHelp(verb: Verb, help: Help, width: number): string {
  const rules = verb.rules.flatMap(({ code, sentence }) => [
    `  ${code}`,
    ...help
      .boxWrap(sentence, width - 6)
      .split('\n')
      .map((line) => `      ${line}`),
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
    throw new UsageError(`${name} is missing.`, `bss ${verb.noun} ${verb.verb}`);
  }
  return input;
}
