import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DockerfileParser, type Instruction, type JSONInstruction } from 'dockerfile-ast';
import { z } from 'zod';
import { root } from '../processes.ts';

export interface Step {
  readonly keyword: string;
  /** As it is written, variables and all. */
  readonly text: string;
  /** The words of a COPY or ADD without its flags, or of a command in JSON form. */
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, string>>;
}

export interface Stage {
  readonly image: string;
  readonly name: string | undefined;
  readonly steps: readonly Step[];
}

const isJson = (instruction: Instruction): instruction is JSONInstruction => 'getJSONStrings' in instruction;

/** The words of a command in JSON form. That of a health check stands behind a keyword, where the parser sees no JSON. */
function jsonOf(instruction: Instruction, text: string): string[] {
  const health = /^CMD\s+(\[.*\])$/.exec(text)?.[1];
  if (health !== undefined) return ['CMD', ...z.array(z.string()).parse(JSON.parse(health))];
  return isJson(instruction) ? instruction.getJSONStrings().map((one) => one.getJSONValue()) : [];
}

function stepOf(instruction: Instruction): Step {
  const text = instruction.getArgumentsContent()?.replace(/\\\n\s*/g, ' ') ?? '';
  const json = jsonOf(instruction, text);
  const flags = isJson(instruction)
    ? Object.fromEntries(instruction.getFlags().map((flag) => [flag.getName(), flag.getValue() ?? '']))
    : {};
  return {
    keyword: instruction.getKeyword().toUpperCase(),
    text,
    words: json.length > 0 ? json : instruction.getArguments().map((argument) => argument.getValue()),
    flags,
  };
}

/** The Dockerfile as its stages, with the arguments of FROM put in. */
export function readDockerfile(file = join(root, 'Dockerfile')): Stage[] {
  const stages: { image: string; name: string | undefined; steps: Step[] }[] = [];
  const given = new Map<string, string>();
  for (const instruction of DockerfileParser.parse(readFileSync(file, 'utf8')).getInstructions()) {
    const step = stepOf(instruction);
    if (step.keyword === 'ARG' && stages.length === 0) {
      const [name = '', value = ''] = step.text.split('=');
      given.set(name, value);
    } else if (step.keyword === 'FROM') {
      const [image = '', , name] = step.text.split(/\s+/);
      stages.push({ image: image.replace(/\$\{(\w+)\}/g, (_, key: string) => given.get(key) ?? ''), name, steps: [] });
    } else stages.at(-1)?.steps.push(step);
  }
  return stages;
}

/** Which files are sent to a build: the patterns of .dockerignore, the last that fits decides. */
export function ignoredBy(patterns: string): (path: string) => boolean {
  const rules = patterns
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const isException = line.startsWith('!');
      const glob = (isException ? line.slice(1) : line).replace(/^\/|\/$/g, '');
      const source = glob
        .split(/(\*\*\/|\*\*|\*|\?)/)
        .map((part) =>
          part === '**/'
            ? '(?:.*/)?'
            : part === '**'
              ? '.*'
              : part === '*'
                ? '[^/]*'
                : part === '?'
                  ? '[^/]'
                  : part.replace(/[.+^${}()|[\]\\]/g, '\\$&'),
        )
        .join('');
      return { isException, pattern: new RegExp(`^${source}(?:/.*)?$`) };
    });
  return (path) => {
    let isIgnored = false;
    for (const { isException, pattern } of rules) if (pattern.test(path)) isIgnored = !isException;
    return isIgnored;
  };
}
