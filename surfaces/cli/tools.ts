import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { profileOf } from '../../tools/profile.ts';
import { asJson } from './as-json.ts';
import { spoken } from './descriptors.ts';
import { UsageError } from './input.ts';
import { paintOf } from './render/paint.ts';
import { plainText } from './render/plain.ts';
import { table } from './render/table.ts';
import { type Style, wrap } from './render/text.ts';
import { type Terminal, wantsColor } from './terminal.ts';
import { toolProfiles as profiles, type ToolsOptions } from './tools-command.ts';

/** What `bss tools` reads: every tool with its whole schemas, and what each profile's agent is shown unasked. */
interface Whole {
  readonly tools: readonly JsonObject[];
  readonly profiles: Readonly<Record<string, { listed: readonly string[]; tokens: number }>>;
}

const tokensMax = 8000;

/** What `bss tools` prints. It asks no server. */
export function listTools(search: string, options: ToolsOptions, terminal: Terminal): string {
  return printTools(readWhole(terminal), search, options, terminal);
}

function readWhole(terminal: Terminal): Whole {
  const found = terminal.readTools?.();
  if (!isJsonObject(found) || !Array.isArray(found.tools) || !isJsonObject(found.profiles)) {
    throw new Error('the list of tools is not there; build the program again');
  }
  const weights = Object.entries(found.profiles).flatMap(([name, one]) =>
    isJsonObject(one) && Array.isArray(one.listed) && typeof one.tokens === 'number'
      ? [[name, { listed: one.listed.map(String), tokens: one.tokens }] as const]
      : [],
  );
  return { tools: found.tools.filter(isJsonObject), profiles: Object.fromEntries(weights) };
}

function printTools(
  { tools, profiles: weights }: Whole,
  search: string,
  options: ToolsOptions,
  terminal: Terminal,
): string {
  const profile = profiles.find((one) => one === options.audience);
  if (options.audience !== undefined && profile === undefined) {
    throw new UsageError(`--audience: "${options.audience}" is none of ${profiles.join(', ')}.`);
  }
  const wanted = search.toLowerCase();
  const own =
    profile === undefined
      ? tools
      : profileOf(tools.map(described), profile).map(({ whole, input, positional }) => ({
          ...whole,
          input,
          positional: [...positional],
        }));
  const items = own.filter((tool) => `${text(tool.name)} ${text(tool.summary)}`.toLowerCase().includes(wanted));
  const shown = profile === undefined ? undefined : weights[profile];
  if (options.json) return asJson({ ...(profile ? { profile, agent: shown ?? null } : {}), items });
  const style: Style = { width: terminal.columns(), color: wantsColor(terminal, options.color !== false) };
  return drawTools(items, shown, style);
}

const text = (value: unknown): string => (typeof value === 'string' ? plainText(value) : '');
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(text) : []);

/** What a profile is made of, with the whole tool beside it. */
function described(whole: JsonObject) {
  return {
    whole,
    audience: profiles.filter((one) => texts(whole.audience).includes(one)),
    input: isJsonObject(whole.input) ? whole.input : {},
    positional: texts(whole.positional),
  };
}

function drawTools(
  items: readonly JsonObject[],
  shown: { listed: readonly string[]; tokens: number } | undefined,
  style: Style,
): string {
  const paint = paintOf(style.color);
  const rows = items.map((tool) => {
    const { noun, verb } = spoken(text(tool.name));
    return {
      name: text(tool.name),
      typed: `bss ${noun} ${verb}`,
      effect: text(tool.effect),
      audience: texts(tool.audience)
        .map((one) => one.charAt(0))
        .join(''),
      rules: Array.isArray(tool.rules) && tool.rules.length > 0 ? String(tool.rules.length) : '',
      listed: shown?.listed.includes(text(tool.name)) ? '*' : '',
      summary: text(tool.summary),
    };
  });
  const drawn = table<(typeof rows)[number]>(
    [
      { title: '', value: (row) => row.listed },
      { title: 'Tool', value: (row) => row.name },
      {
        title: 'Effect',
        value: (row) => row.effect,
        paint: (value) => (/money|destructive/.test(value) ? paint.accent(value) : value),
      },
      { title: 'For', value: (row) => row.audience, drop: 1 },
      { title: 'Rules', value: (row) => row.rules, align: 'right', drop: 2 },
      { title: 'What it does', value: (row) => row.summary, min: 12, drop: 0 },
    ],
    rows,
    style,
    'No tool is named so.',
  );
  const notes = [
    `${items.length} tools. For: o operator, c customer, i integrator. Each is typed as its name: ticket.open is bss ticket open.`,
    ...(shown
      ? [
          `* An agent is shown ${shown.listed.length} of them unasked, ${shown.tokens.toLocaleString('en')} tokens (o200k_base) of at most ${tokensMax.toLocaleString('en')}, and finds the rest.`,
        ]
      : []),
  ];
  return `${drawn}${notes
    .flatMap((note) => wrap(note, style.width))
    .map((line) => paint.quiet(line))
    .join('\n')}\n`;
}
