import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { extraDefinitions } from '../app/extra-tools.ts';
import { commands } from '../policy/commands.ts';
import { describeExtra } from '../tools/extra.ts';
import { queriesFor } from '../tools/queries.ts';
import { describeTools } from '../tools/registry.ts';

// Writes generated/tools.json: every tool as its descriptor, for the terminal's help and the reference. With `--check`
// nothing is written and the exit code says whether the file is what the definitions make.

const path = fileURLToPath(new URL('../generated/tools.json', import.meta.url));

const tools = describeTools(
  commands,
  queriesFor(commands),
  extraDefinitions.map(describeExtra).map((descriptor) => ({ descriptor })),
);
const made = `${JSON.stringify(tools, null, 1)}\n`;

function readIfThere(): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

if (readIfThere() === made) {
  process.stdout.write(`generated/tools.json: ${tools.length} tools, unchanged\n`);
} else if (process.argv.includes('--check')) {
  process.stderr.write('generated/tools.json is not what the definitions make. Run: make generate\n');
  process.exitCode = 1;
} else {
  writeFileSync(path, made);
  process.stdout.write(`generated/tools.json: ${tools.length} tools written\n`);
}
