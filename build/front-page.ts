import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import program from '../package.json' with { type: 'json' };
import { readVerbs, type Verb } from '../surfaces/cli/descriptors.ts';
import type { FrontPages } from '../surfaces/cli/front-page.ts';
import { run } from '../surfaces/cli/program.ts';
import type { Terminal } from '../surfaces/cli/terminal.ts';

// Writes generated/front-page.json: what `bss` prints for --help, --version and help, as the program itself prints it.
// With `--check` nothing is written and the exit code says whether the file is what the definitions make.

const place = fileURLToPath(new URL('../generated/front-page.json', import.meta.url));
const toolsPlace = fileURLToPath(new URL('../generated/tools.json', import.meta.url));
/** No terminal is as wide: at this width nothing is wrapped. */
const widest = 10_000;

/** What a command line prints between other programs, or to a person who likes colour. */
async function printed(
  args: readonly string[],
  verbs: readonly Verb[],
  columns: number,
  color = false,
): Promise<string> {
  let text = '';
  const unused = (): never => {
    throw new Error(`bss ${args.join(' ')} reads nothing and asks nobody`);
  };
  const terminal: Terminal = {
    folder: '/',
    env: {},
    isInputTty: false,
    isOutputTty: color,
    isErrorTty: color,
    columns: () => columns,
    out: (more) => {
      text += more;
    },
    error: unused,
    readFile: unused,
    readLines: unused,
    ask: unused,
    pause: unused,
    fetch: unused,
  };
  await run(args, verbs, program.version, terminal);
  return text;
}

const widthOf = (text: string): number => Math.max(...text.split('\n').map((line) => line.length));

async function make(verbs: readonly Verb[]): Promise<FrontPages> {
  const places = new Map<string, number>();
  const placeOf = (line: string): number => {
    const at = places.get(line) ?? places.size;
    places.set(line, at);
    return at;
  };
  const looksOf = async (args: readonly string[], color = false) => {
    const looks: { fromWidth: number; lines: number[] }[] = [];
    let before: string | undefined;
    const last = widthOf(await printed(args, verbs, widest, color));
    for (let width = 1; width <= last; width += 1) {
      const text = await printed(args, verbs, width, color);
      if (text !== before) looks.push({ fromWidth: width, lines: text.split('\n').map(placeOf) });
      before = text;
    }
    return looks;
  };
  const [help, handbook, coloredHandbook] = [
    await looksOf(['--help']),
    await looksOf(['help']),
    await looksOf(['help'], true),
  ];
  return { version: program.version, lines: [...places.keys()], help, handbook, coloredHandbook };
}

const made = `${JSON.stringify(await make(readVerbs(JSON.parse(readFileSync(toolsPlace, 'utf8')))))}\n`;
const isSame = existsSync(place) && readFileSync(place, 'utf8') === made;
if (process.argv.includes('--check')) {
  if (!isSame) process.stderr.write('generated/front-page.json is not what the definitions make. Run: make generate\n');
  process.exitCode = isSame ? 0 : 1;
} else if (!isSame) writeFileSync(place, made);
