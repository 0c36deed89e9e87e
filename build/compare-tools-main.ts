import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { tokensMax, toolDifferences } from './compare-tools.ts';
import { gatherTools } from './gather-tools.ts';

// Compares the tools in their four places, and fails on any difference. Run after the build, whose pages it reads.

const page = (name: string): string => {
  const path = fileURLToPath(new URL(`../dist/docs/${name}`, import.meta.url));
  if (!existsSync(path)) throw new Error(`dist/docs/${name} is not there. Run: make build`);
  return readFileSync(path, 'utf8');
};

const places = await gatherTools({ tools: page('tools.html'), rules: page('rules.html') });
const differences = toolDifferences(places);
for (const [profile, { expected, listed }] of places.agents) {
  process.stdout.write(
    `${profile}: ${expected.length} tools, ${listed.size} listed to its agent, ${places.tokens.get(profile)} of ${tokensMax} tokens\n`,
  );
}
for (const difference of differences) process.stderr.write(`${difference}\n`);
process.stdout.write(
  `${places.registry.length} tools in registry, terminal, MCP and reference: ${differences.length} differences\n`,
);
if (differences.length > 0) process.exitCode = 1;
