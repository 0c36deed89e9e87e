import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { extraDefinitions } from '../app/extra-tools.ts';
import { commands } from '../policy/commands.ts';
import { withContracts } from '../tools/contract.ts';
import { describeExtra } from '../tools/extra.ts';
import { queriesFor } from '../tools/queries.ts';
import { describeTools } from '../tools/registry.ts';
import { weighedProfiles } from './tool-weight.ts';

// Writes generated/tools.json, every tool as its descriptor, for the terminal's help and the reference; and
// generated/tools-whole.json, the same with every body of the standard written out and what each profile's agent is
// shown, for `bss tools`. With `--check` nothing is written and the exit code says whether the files are what the
// definitions make.

const tools = describeTools(
  commands,
  queriesFor(commands),
  extraDefinitions.map(describeExtra).map((descriptor) => ({ descriptor })),
);
const files = {
  'generated/tools.json': `${JSON.stringify(tools, null, 1)}\n`,
  'generated/tools-whole.json': `${JSON.stringify({ tools: await withContracts(tools), profiles: weighedProfiles(tools) })}\n`,
};

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

for (const [name, made] of Object.entries(files)) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url));
  if (readIfThere(path) === made) {
    process.stdout.write(`${name}: ${tools.length} tools, unchanged\n`);
  } else if (process.argv.includes('--check')) {
    process.stderr.write(`${name} is not what the definitions make. Run: make generate\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, made);
    process.stdout.write(`${name}: ${tools.length} tools written\n`);
  }
}
