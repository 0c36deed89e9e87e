import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Json } from '../kernel/json.ts';

const json: z.ZodType<Json> = z.json();
const expectations = z.record(z.string(), json);
const name = z.string().regex(/^[a-z][A-Za-z0-9]*$/, 'a name is one word, camelCase');

const stepShape = z.strictObject({
  // What happens, in the words of who owns the product. Exactly one of these.
  given: z.string().optional(),
  when: z.string().optional(),
  // biome-ignore lint/suspicious/noThenProperty: the word of the language; a string is never taken for a promise
  then: z.string().optional(),
  and: z.string().optional(),
  // Through which door. At most one of these.
  get: z.string().optional().describe('A TMF resource: TMF637 product/sub_…'),
  post: z.string().optional(),
  patch: z.string().optional(),
  delete: z.string().optional(),
  tool: z.string().optional().describe('POST /tools/…'),
  chat: z.string().optional().describe('What is below /chat: sent with a body, read without'),
  bss: z.string().optional().describe('A command line, without bss'),
  advance: z
    .strictObject({ days: json.optional(), hours: json.optional(), to: json.optional() })
    .optional()
    .describe('Moves business time'),
  play: z.string().optional().describe('Another file of steps'),
  // Who asks, by their token; the operator when nobody is named.
  as: z.string().optional(),
  // With what.
  body: json.optional(),
  input: json.optional(),
  with: z.record(name, json).optional(),
  // What must come of it.
  status: z.number().int().optional(),
  refused: z.string().optional().describe('The code of the rule that refuses it'),
  expect: expectations.optional(),
  wait_until: expectations.optional(),
  within: z.number().positive().max(60).optional().describe('Seconds that wait_until waits'),
  save: z.union([z.record(name, z.string()), z.array(name)]).optional(),
  show: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe('What a person would look at now'),
});

const said = ['given', 'when', 'then', 'and'] as const;
const actions = ['get', 'post', 'patch', 'delete', 'tool', 'chat', 'bss', 'advance', 'play'] as const;

const step = stepShape.superRefine((given, context) => {
  const problem = (message: string) => context.addIssue({ code: 'custom', message });
  const present = (keys: readonly (keyof z.infer<typeof stepShape>)[]) =>
    keys.filter((key) => given[key] !== undefined);
  const action = present(actions)[0];
  if (present(said).length !== 1) problem('a step says what it is with one of given, when, then, and');
  if (present(actions).length > 1) problem(`a step does one thing, not ${present(actions).join(' and ')}`);
  if (
    action === undefined &&
    present(['body', 'input', 'with', 'status', 'refused', 'expect', 'wait_until', 'save']).length > 0
  ) {
    problem('a step without an action has no answer to judge');
  }
  if (action === undefined && given.show === undefined) problem('a step does or shows something');
  if (given.body !== undefined && action !== 'post' && action !== 'patch' && action !== 'chat')
    problem('body belongs to post, patch and chat');
  if (given.as !== undefined && action !== 'tool' && action !== 'chat') problem('as belongs to tool and chat');
  if (given.input !== undefined && action !== 'tool') problem('input belongs to tool');
  if (given.with !== undefined && action !== 'play') problem('with belongs to play');
  if (action === 'play' && present(['status', 'refused', 'expect', 'wait_until']).length > 0)
    problem('a played file judges its own steps');
  if (given.wait_until !== undefined && action !== 'get' && action !== 'tool')
    problem('only a get or a tool that reads is asked again');
  if (given.within !== undefined && given.wait_until === undefined) problem('within belongs to wait_until');
  if (given.refused !== undefined && given.status !== undefined) problem('refused already says how it ends');
});
export type Step = z.infer<typeof stepShape>;

const part = z.strictObject({ steps: z.array(step).min(1) });

const scenario = z.strictObject({
  title: z.string(),
  story: z.string(),
  /** A server of its own, empty; `historyDays` sets its business clock that many days back. */
  server: z.strictObject({ historyDays: z.number().int().positive().optional() }).optional(),
  steps: z.array(step).min(1),
});

export interface Scenario extends z.infer<typeof scenario> {
  readonly file: string;
}

function read<Shape>(file: string, shape: z.ZodType<Shape>): Shape {
  const parsed = shape.safeParse(parse(readFileSync(file, 'utf8')));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`${file}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is no scenario'}`);
}

/** Reads a scenario. A key that is not known stops it: an expectation that was misspelt would never fail. */
export function readScenario(file: string): Scenario {
  const found = read(file, scenario);
  const judges = (one: Step) =>
    [one.expect, one.wait_until, one.refused, one.status, one.play].some((part) => part !== undefined);
  if (!found.steps.some(judges)) throw new Error(`${file}: a scenario that expects nothing proves nothing`);
  return { ...found, file };
}

/** The steps that several scenarios share, from the folder `parts` beside them. */
export function readPart(scenarioFile: string, name: string): Step[] {
  return read(join(dirname(scenarioFile), 'parts', `${name}.yaml`), part).steps;
}

/** What a step says of itself: "Given …". */
export function sentenceOf(step: Step): { word: string; text: string } {
  for (const word of said) {
    const text = step[word];
    if (text !== undefined) return { word, text };
  }
  throw new Error('a step says nothing');
}
