import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { z } from 'zod';
import { fixtures } from '../../conformance/fixtures/index.ts';
import { audiences, type Caller } from '../../kernel/caller.ts';
import { Refusal } from '../../kernel/error.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { type AnyDefinition, command, effects } from '../../policy/core/command.ts';
import { confirmationRequired } from '../../policy/core/confirmation.ts';
import { rule } from '../../policy/core/rule.ts';
import { resourceCommandsFor } from '../../policy/resources.ts';
import { describeCommand, type ToolDescriptor, type ToolDoor } from '../../tools/registry.ts';
import type { Finding, Judged } from './finding.ts';
import { nodesOf, type Sources } from './source.ts';

/** Violations among things that are there at run time, and among planted ones. */
function judged<T>(
  head: Pick<Judged, 'check' | 'refuses' | 'unit'>,
  things: readonly T[],
  plants: readonly { name: string; thing: T }[],
  faults: (thing: T) => string[],
): Judged {
  const missed = plants.filter(({ thing }) => faults(thing).length === 0).map(({ name }) => name);
  return {
    ...head,
    looked: things.length,
    violations: things.flatMap((thing) => faults(thing)).map((what) => ({ file: 'policy/commands.ts', line: 1, what })),
    planted: plants.length,
    caught: plants.length - missed.length,
    missed,
  };
}

// ---- commands ----

/** What exercises commands: the text of tests and stories. */
export interface Exercise {
  readonly text: string;
  /** By command: the name that its definition is exported under. */
  readonly definedAs: ReadonlyMap<string, string>;
}

const leftOut = new Set(['node_modules', 'dist', 'generated', '.git', 'check']);

function testTexts(root: string, directory = ''): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
    if (entry.isDirectory()) return leftOut.has(entry.name) ? [] : testTexts(root, path);
    const isTest =
      /\.test\.ts$/.test(path) || /^scenarios\/.*\.yaml$/.test(path) || /^doctrine\/(rules\/|house)/.test(path);
    return isTest ? [readFileSync(join(root, path), 'utf8')] : [];
  });
}

/** Reads what there is of tests, and under which name each command is defined. */
export function readExercise(root: string, sources: Sources): Exercise {
  const definedAs = new Map<string, string>();
  for (const file of sources.files) {
    if (file.room !== 'policy' || file.isPlant) continue;
    for (const node of nodesOf(file.node)) {
      if (!ts.isPropertyAssignment(node) || !ts.isIdentifier(node.name) || node.name.text !== 'name') continue;
      if (!ts.isStringLiteral(node.initializer)) continue;
      let above: ts.Node = node;
      while (!ts.isVariableDeclaration(above) && !ts.isSourceFile(above)) above = above.parent;
      if (ts.isVariableDeclaration(above) && ts.isIdentifier(above.name))
        definedAs.set(node.initializer.text, above.name.text);
    }
  }
  return { text: testTexts(root).join('\n'), definedAs };
}

const wordsOf = (name: string): string => name.replace(/[_.]/g, (mark) => (mark === '.' ? ' ' : '-'));

/** Whether a test or a story calls the command: by its name, its verb, its definition, or as an operation of the contract. */
function isExercised(name: string, { text, definedAs }: Exercise): boolean {
  if (text.includes(`'${name}'`) || text.includes(`tool: ${name}`) || text.includes(`/tools/${name}`)) return true;
  if (text.includes(`bss ${wordsOf(name)}`) || text.includes(`bss: ${wordsOf(name)}`)) return true;
  const identifier = definedAs.get(name);
  if (identifier !== undefined && /^\w{6,}$/.test(identifier) && new RegExp(`\\b${identifier}\\b`).test(text))
    return true;
  return isConformed(name);
}

/** Conformance plays every operation that a fixture describes over HTTP, and fails for one that no fixture does. */
function isConformed(name: string): boolean {
  const [kind = ''] = name.split('.').slice(-1);
  const resource = Object.entries(resourceCommandsFor).find(([, one]) =>
    [one.create, one.patch, one.remove].some((found) => found?.name === name),
  )?.[0];
  const activation = /^service\.activation_(create|patch|delete)$/.exec(name);
  const wanted = activation ? 'service' : resource;
  const operation = activation?.[1] ?? kind;
  return fixtures.some(
    (one) =>
      one.resource === wanted &&
      (activation ? one.api === 'TMF640' : true) &&
      (operation === 'create' ? one.create : operation === 'patch' ? one.patch : one.removal) !== undefined,
  );
}

function commandFaults(definition: AnyDefinition, exercise: Exercise): string[] {
  const { name } = definition;
  const faults: string[] = [];
  if (!/^[a-z_]+(\.[a-z_]+)+$/.test(name)) faults.push('its name is not noun.verb');
  if (!definition.summary) faults.push('it has no summary');
  if (!Array.isArray(definition.rules)) faults.push('it has no list of rules');
  else if (definition.rules.some((one) => !one.code || !one.sentence)) faults.push('a rule has no code or no sentence');
  if (!Array.isArray(definition.audience) || definition.audience.length === 0) faults.push('it has no audience');
  else if (definition.audience.some((one) => !audiences.includes(one))) faults.push('nobody knows its audience');
  if (!effects.includes(definition.effect)) faults.push('it has no effect');
  if (!(definition.input instanceof z.ZodType)) faults.push('it has no schema of its input');
  if (!isExercised(name, exercise)) faults.push('no test calls it');
  return faults.map((fault) => `${name}: ${fault}`);
}

const plant = (changes: Partial<Record<keyof AnyDefinition, unknown>>): AnyDefinition =>
  Object.assign(
    command<object, object, object>({
      name: 'customer.register',
      summary: 'A planted command',
      input: z.object({}),
      audience: ['operator'],
      effect: 'write',
      rules: [],
      facts: async () => ({}),
      apply: async () => ({}),
    }),
    changes,
  );

export function commandsCheck(commands: readonly AnyDefinition[], exercise: Exercise): Judged {
  return judged(
    {
      check: 'commands are whole',
      refuses: 'a command without a rule list, an audience, an effect, a schema or a test',
      unit: 'commands',
    },
    commands,
    [
      { name: 'without rules', thing: plant({ rules: undefined }) },
      { name: 'without audience', thing: plant({ audience: [] }) },
      { name: 'without effect', thing: plant({ effect: 'maybe' }) },
      { name: 'without schema', thing: plant({ input: {} }) },
      { name: 'without test', thing: plant({ name: 'planted.never_called' }) },
    ],
    (one) => commandFaults(one, exercise),
  );
}

/** @param covered the codes of rules that a case of doctrine/rules breaks through a public door. */
export function rulesCheck(codes: readonly string[], covered: ReadonlySet<string>): Judged {
  const faults = (code: string) => (covered.has(code) ? [] : [`${code}: no case of doctrine/rules breaks it`]);
  return judged(
    {
      check: 'rules that a test breaks',
      refuses: 'a rule that no case of doctrine/rules breaks through a public door',
      unit: 'rules',
    },
    codes,
    [
      {
        name: 'a rule without a case',
        thing: rule({ code: 'planted.never_broken', sentence: 'No.', kept: () => true }).code,
      },
    ],
    faults,
  );
}

// ---- tools ----

interface Schema {
  readonly path: string;
  readonly schema: JsonObject;
}

/** Every schema inside a JSON Schema, with where it stands. */
function* schemasOf(value: Json | undefined, path: string): Generator<Schema> {
  if (!isJsonObject(value)) return;
  yield { path, schema: value };
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'default' || key === 'enum' || key === 'const') continue;
    if (Array.isArray(inner)) {
      for (const [index, one] of inner.entries()) yield* schemasOf(one, `${path}/${key}/${index}`);
    } else if (key === 'properties' && isJsonObject(inner)) {
      for (const [name, one] of Object.entries(inner)) yield* schemasOf(one, `${path}.${name}`);
    } else yield* schemasOf(inner, `${path}/${key}`);
  }
}

const unboundedArrays = (tool: ToolDescriptor): string[] =>
  [...schemasOf(tool.input, 'input')]
    .filter(
      ({ schema }) => schema.type === 'array' && schema.maxItems === undefined && schema.prefixItems === undefined,
    )
    .map(({ path }) => `${tool.name}: ${path} takes a list of any length`);

const describePlant = (
  input: z.ZodType<object>,
  more: Partial<Record<keyof AnyDefinition, unknown>> = {},
): ToolDescriptor => describeCommand(plant({ input, ...more }));

export function inputsCheck(tools: readonly ToolDescriptor[]): Judged {
  return judged(
    { check: 'bounded inputs', refuses: 'a tool that takes a list of any length', unit: 'tools' },
    tools,
    [
      { name: 'a list', thing: describePlant(z.object({ ids: z.array(z.string()) })) },
      {
        name: 'a list in a list',
        thing: describePlant(z.object({ a: z.array(z.object({ b: z.array(z.number()) })).max(3) })),
      },
    ],
    unboundedArrays,
  );
}

const ownerName = /customer|subscriber|owner|related_?party|account_?id/i;

/** What a customer sees of a tool: the inputs that name the customer are left out by the registry, nested ones are not. */
const ownerInputs = (tool: ToolDescriptor): string[] =>
  [...schemasOf(tool.input, 'input')].flatMap(({ path, schema }) =>
    isJsonObject(schema.properties)
      ? Object.keys(schema.properties)
          .filter((name) => ownerName.test(name))
          .map((name) => `${tool.name}: ${path}.${name} would let a customer say who they are`)
      : [],
  );

/** @param seen the tools as a customer's list shows them. */
export function customerToolsCheck(
  seen: readonly ToolDescriptor[],
  show: (tool: AnyDefinition) => readonly ToolDescriptor[],
): Judged {
  const shown = (input: z.ZodType<object>): ToolDescriptor => {
    const [tool] = show(plant({ name: 'planted.tool', input, audience: ['customer'] }));
    if (!tool) throw new Error('a planted tool is not in the list of a customer');
    return tool;
  };
  return judged(
    {
      check: 'customer tools',
      refuses: 'a customer’s tool that takes the id of a customer, at any depth',
      unit: 'tools',
    },
    seen,
    [
      { name: 'a nested id', thing: shown(z.object({ filter: z.object({ customerId: z.string() }) })) },
      { name: 'another spelling', thing: shown(z.object({ customer_id: z.string() })) },
      { name: 'a party', thing: shown(z.object({ relatedParty: z.array(z.object({ id: z.string() })).max(1) })) },
    ],
    ownerInputs,
  );
}

/** What ends or moves money by its name, whatever it says of itself. */
const endsByName = /\.(?:\w+_)?(?:delete|remove|revoke|cancel|refund|terminate|unregister|top_up|place|port_out)$/;

/**
 * Whether a tool of money or destruction runs by one call. The door has no database: a call that gets as far as to want
 * one was not asked to confirm.
 */
async function confirmationFaults(door: ToolDoor, tool: ToolDescriptor, caller: Caller): Promise<string[]> {
  const isConfirmed = tool.effect === 'money' || tool.effect === 'destructive';
  if (!isConfirmed) {
    return endsByName.test(tool.name)
      ? [`${tool.name}: by its name it ends something or moves money, and it is neither`]
      : [];
  }
  const faults = door.needsConfirmation(tool.name, caller) ? [] : [`${tool.name}: the door does not ask to confirm it`];
  const outcome = await door.run(tool.name, {}, caller).then(
    () => 'it ran',
    (error: unknown) => (error instanceof Refusal ? error.code : String(error)),
  );
  return outcome === confirmationRequired.code
    ? faults
    : [...faults, `${tool.name}: without a confirmation: ${outcome}`];
}

/** @param open makes the door with these commands, and these rules off, over a database that nobody may ask. */
export async function confirmationCheck(
  tools: readonly ToolDescriptor[],
  caller: Caller,
  open: (commands: readonly AnyDefinition[] | undefined, off: readonly string[]) => ToolDoor,
): Promise<Judged> {
  const door = open(undefined, []);
  const violations: string[] = [];
  for (const tool of tools.filter(({ audience }) => audience.includes(caller.audience))) {
    violations.push(...(await confirmationFaults(door, tool, caller)));
  }
  const unasked = plant({ name: 'planted.charge', effect: 'money' });
  const honest = plant({ name: 'planted.refund', effect: 'write' });
  const plants = [
    { name: 'a door that does not ask', definition: unasked, door: open([unasked], [confirmationRequired.code]) },
    { name: 'a refund that says it only writes', definition: honest, door: open([honest], []) },
  ];
  const missed: string[] = [];
  for (const one of plants) {
    if ((await confirmationFaults(one.door, describeCommand(one.definition), caller)).length === 0)
      missed.push(one.name);
  }
  return {
    check: 'confirmations',
    refuses: 'a tool that moves money or ends something and runs without a confirmation',
    looked: tools.length,
    unit: 'tools',
    violations: violations.map((what) => ({ file: 'tools/registry.ts', line: 1, what })),
    planted: plants.length,
    caught: plants.length - missed.length,
    missed,
  };
}

export type { Finding };
