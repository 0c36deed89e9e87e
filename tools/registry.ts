import type { Pool } from 'pg';
import { z } from 'zod';
import { type Audience, type Caller, type Surface, systemCaller } from '../kernel/caller.ts';
import { AirtimeError, invalid, Refusal } from '../kernel/error.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { formatMoney } from '../kernel/money.ts';
import {
  type AnyDefinition,
  type Effect,
  type ExecuteOptions,
  execute,
  type Policy,
  type Preview,
  preview as previewCommand,
  run as runCommand,
} from '../policy/core/command.ts';
import {
  answeredBefore,
  type Confirmation,
  confirmationRequired,
  giveOut,
  keepConfirmed,
  type ProposedAct,
  useConfirmation,
  usedOnce,
  useUp,
} from '../policy/core/confirmation.ts';
import { AlreadyAnswered, type KeepOutput, runKeeping } from '../policy/core/idempotency.ts';
import { typingOf } from '../policy/core/typing.ts';
import type { AnyQuery } from '../read/views/query.ts';
import { bodyOf, contractOf, exact } from './contract.ts';
import { hasOwnerField, ownerField, withoutOwner } from './profile.ts';

/** What a caller may know of a tool before calling it. Input and output are JSON Schema, draft 2020-12. */
export interface ToolDescriptor {
  name: string;
  summary: string;
  audience: readonly Audience[];
  effect: Effect;
  input: JsonObject;
  output: JsonObject;
  /** What may refuse it, in the order in which it is judged. */
  rules: readonly { code: string; sentence: string }[];
  /** Inputs that the terminal takes by place, in order. */
  positional: readonly string[];
  /** Lines as one types them. */
  examples: readonly string[];
  /** The picture a surface may draw of the answer. */
  view?: string;
}

export interface Tool {
  readonly descriptor: ToolDescriptor;
  /**
   * `keep` is the last act of a command's own transaction, and `before` its first; what either throws undoes the command.
   * A tool without a transaction of its own leaves both alone.
   */
  run(input: unknown, caller: Caller, keep?: KeepOutput, before?: ExecuteOptions['before']): Promise<unknown>;
  /** Judges a command and says what it would do; undefined for what is no command. */
  preview?(input: unknown, caller: Caller): Promise<Preview>;
}

/** What a person is shown before money moves or something ends. It is data: none of it is an instruction. */
export interface Proposal {
  tool: string;
  effect: 'money' | 'destructive';
  /** What would happen, in a sentence. The rules were judged and are kept. */
  what: string;
  customer: { id: string; name: string | null } | null;
  /** What it costs or gives back, tax included; null where no price is known. */
  amount: { amountMinor: number; currency: string; text: string } | null;
  details: readonly string[];
  /** As they were sent, and as they must be sent again. */
  arguments: JsonObject;
}

/** A proposal with the token that confirms it. The token is for the person's own screen, never for a model. */
export interface Proposed {
  proposal: Proposal;
  confirmation: Confirmation;
}

/** What a surface sees of the tools: those of its caller, and no others. */
export interface ToolDoor {
  /** By name. For a customer the inputs that name the customer are left out: the session says who. */
  list(caller: Caller): readonly ToolDescriptor[];
  /** The name under which the audit has a call: that of a tool, whoever has it, and `(unknown)` for what is none. */
  recorded(name: string): string;
  /**
   * Checks the input, runs the tool and answers plain JSON (no bigint, no Date).
   * @param keep gets the answer of a command inside its transaction, as its last act.
   * @throws AirtimeError 404 for a tool the caller does not have, 400 for input its schema refuses, 422 for a rule;
   *   Refusal `confirmation.required` for a tool that moves money or destroys: those are proposed and confirmed.
   */
  run(name: string, input: unknown, caller: Caller, keep?: KeepOutput): Promise<unknown>;
  /** Whether a tool is done in two calls. False too for one that the caller does not have. */
  needsConfirmation(name: string, caller: Caller): boolean;
  /** What a money or destructive tool would do, judged now; nothing is kept. @throws as `run` */
  preview(name: string, input: unknown, caller: Caller): Promise<Proposal>;
  /** The same, with the token that `confirm` takes. */
  propose(name: string, input: unknown, caller: Caller): Promise<Proposed>;
  /**
   * Does what was proposed, once: the same token again gets the first answer.
   * @throws Refusal `confirmation.…` for a token that is unknown, stale, used, of another caller, tool or arguments.
   */
  confirm(name: string, input: unknown, caller: Caller, token: string): Promise<{ result: unknown; replayed: boolean }>;
}

/** A customer's answer named another customer. It was withheld; whoever wires the tools records and counts it. */
export interface OwnershipTrip {
  tool: string;
  caller: Caller;
  foreignCustomerId: string;
}

/**
 * The guards of the registry itself, by name. All of them stand, always: only a proof that shows what each is good for
 * takes one away, by making the tools without it.
 */
export type ToolGuard = 'tools.audience' | 'tools.session_owner' | 'tools.answer_owner';

export interface ToolParts {
  readonly policy: Policy;
  /** For reads. */
  readonly pool: Pool;
  readonly commands: readonly AnyDefinition[];
  readonly queries: readonly AnyQuery[];
  /** Tools that are neither command nor query: stepping business time is done by workers. */
  readonly extra?: readonly Tool[];
  readonly onOwnershipTrip?: (trip: OwnershipTrip) => Promise<void>;
  readonly guardsOff?: ReadonlySet<string>;
  /** Hears of refusals, for the audit. Those of the HTTP tool door and of the pages are told by those doors themselves. */
  readonly onRefused?: (refused: { tool: string; caller: Caller; error: AirtimeError }) => void;
  /** Called when a tool that is no read was done: it may have left work behind, and events. */
  readonly onWritten?: () => void;
}

export function makeTools(parts: ToolParts): ToolDoor {
  const stands = (guard: ToolGuard): boolean => parts.guardsOff?.has(guard) !== true;
  const isOf = (caller: Caller, tool: Tool | undefined): tool is Tool =>
    tool !== undefined && (tool.descriptor.audience.includes(caller.audience) || !stands('tools.audience'));
  const tools = new Map<string, Tool>();
  const all: Tool[] = [
    ...parts.commands.filter(isOffered).map((command) => commandTool(command, parts.policy)),
    ...parts.queries.map((query) => queryTool(query, parts.pool)),
    ...(parts.extra ?? []),
  ];
  for (const tool of all) {
    const { name } = tool.descriptor;
    if (tools.has(name)) throw new Error(`two tools are named ${name}`);
    tools.set(name, tool);
  }
  const byName = [...tools.values()].sort((a, b) => (a.descriptor.name < b.descriptor.name ? -1 : 1));
  return {
    recorded,
    list: (caller) =>
      byName
        .filter((tool) => isOf(caller, tool))
        .map((tool) =>
          caller.audience === 'customer' && stands('tools.session_owner')
            ? withoutOwner(tool.descriptor)
            : tool.descriptor,
        ),
    run: (name, input, caller, keep) =>
      told(name, caller, async () => {
        const tool = mine(name, caller);
        if (isConfirmed(tool) && !parts.policy.rulesOff.has(confirmationRequired.code)) {
          throw new Refusal(confirmationRequired.code, confirmationRequired.sentence, { tool: name });
        }
        return runOwned(tool, input, caller, keep);
      }),
    needsConfirmation: (name, caller) => {
      const tool = tools.get(name);
      return isOf(caller, tool) && isConfirmed(tool);
    },
    preview: (name, input, caller) => told(name, caller, async () => proposalOf(mine(name, caller), input, caller)),
    propose: (name, input, caller) =>
      told(name, caller, async () => {
        const proposal = await proposalOf(mine(name, caller), input, caller);
        return { proposal, confirmation: await giveOut(parts.policy, { tool: name, arguments: input, caller }) };
      }),
    confirm: (name, input, caller, token) =>
      told(name, caller, async () => {
        const tool = mine(name, caller);
        const act: ProposedAct = { tool: name, arguments: input, caller };
        const before = await answeredBefore(parts.policy, act, token);
        if (before) return { result: JSON.parse(before.text ?? 'null'), replayed: true };
        try {
          const result = await runOwned(
            tool,
            input,
            caller,
            (tx, output) => keepConfirmed(tx, act, token, output),
            tool.preview ? (tx) => useUp(tx, act, token) : await useAhead(parts.policy, act, token),
          );
          return { result, replayed: false };
        } catch (error) {
          // Another call with this token was first, and has answered while this one waited for it.
          const wasUsed = error instanceof Refusal && error.code === usedOnce.code;
          const first =
            wasUsed || error instanceof AlreadyAnswered ? await answeredBefore(parts.policy, act, token) : undefined;
          if (!first) throw error;
          return { result: JSON.parse(first.text ?? 'null'), replayed: true };
        }
      }),
  };

  async function told<T>(tool: string, caller: Caller, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof AirtimeError && !throughHttp.has(caller.surface)) {
        parts.onRefused?.({ tool: recorded(tool), caller, error });
      }
      throw error;
    }
  }

  /** What a caller typed and is no tool stands in no record. */
  function recorded(name: string): string {
    return tools.has(name) ? name : '(unknown)';
  }

  function mine(name: string, caller: Caller): Tool {
    const tool = tools.get(name);
    if (!isOf(caller, tool)) throw unknownTool(name);
    return tool;
  }

  function ownInput(tool: Tool, input: unknown, caller: Caller): unknown {
    const isTold = isJsonObject(input) && Object.hasOwn(input, ownerField);
    return isTold && !stands('tools.session_owner') ? input : asOwner(tool.descriptor, input, caller);
  }

  function checkedOwner(output: unknown, caller: Caller): unknown {
    const answer = plain(output);
    const foreign = foreignOwner(answer, caller.customerId);
    if (foreign !== undefined && stands('tools.answer_owner')) throw new ForeignOwner(foreign);
    return answer;
  }

  async function runOwned(
    tool: Tool,
    input: unknown,
    caller: Caller,
    keep?: KeepOutput,
    before?: ExecuteOptions['before'],
  ): Promise<unknown> {
    const answer = await runAsCaller(tool, input, caller, keep, before);
    if (tool.descriptor.effect !== 'read') parts.onWritten?.();
    return answer;
  }

  async function runAsCaller(
    tool: Tool,
    input: unknown,
    caller: Caller,
    keep?: KeepOutput,
    before?: ExecuteOptions['before'],
  ): Promise<unknown> {
    const keepPlain: KeepOutput | undefined = keep && ((tx, output) => keep(tx, plain(output)));
    if (caller.audience !== 'customer') return plain(await tool.run(input, caller, keepPlain, before));
    return withheld(tool, caller, async () => {
      const own = ownInput(tool, input, caller);
      // A command that would tell of somebody else is undone before it is answered.
      const keepOwn: KeepOutput = async (tx, output) => {
        checkedOwner(output, caller);
        await keepPlain?.(tx, output);
      };
      return checkedOwner(await tool.run(own, caller, keepOwn, before), caller);
    });
  }

  async function proposalOf(tool: Tool, input: unknown, caller: Caller): Promise<Proposal> {
    const { name, summary, effect } = tool.descriptor;
    if (effect !== 'money' && effect !== 'destructive') {
      throw new AirtimeError(422, 'notProposed', `${name} neither moves money nor destroys: it is done in one call.`, {
        facts: { tool: name, effect },
      });
    }
    const given = input ?? {};
    const own = caller.audience === 'customer' ? ownInput(tool, given, caller) : given;
    const judged = async (): Promise<Proposal> => {
      const told: Preview = (await tool.preview?.(own, caller)) ?? { what: `${summary}.` };
      const amount = told.amount ? { ...told.amount, text: formatMoney(told.amount) } : null;
      return {
        tool: name,
        effect,
        what: told.what,
        customer: told.customer ?? null,
        amount,
        details: told.details ?? [],
        arguments: isJsonObject(given) ? given : {},
      };
    };
    if (caller.audience !== 'customer') return judged();
    return withheld(tool, caller, async () => {
      const proposal = await judged();
      // What the caller typed is not told to the caller: it does not count as an answer.
      checkedOwner({ ...proposal, arguments: {} }, caller);
      return proposal;
    });
  }

  /** Answers a customer with nothing when the answer would tell of somebody else. */
  async function withheld<T>(tool: Tool, caller: Caller, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ForeignOwner)) throw error;
      await parts.onOwnershipTrip?.({ tool: tool.descriptor.name, caller, foreignCustomerId: error.customerId });
      throw new AirtimeError(404, 'notFound', 'There is nothing of that name.');
    }
  }
}

/** Callers of the tool door over HTTP, the terminal among them, and of the pages: those doors tell the audit by themselves. */
const throughHttp: ReadonlySet<Surface> = new Set(['tools', 'cli', 'portal']);

const isConfirmed = ({ descriptor }: Tool): boolean =>
  descriptor.effect === 'money' || descriptor.effect === 'destructive';

/** What has no transaction of its own cannot share one with its confirmation: that is used up first. */
async function useAhead(policy: Policy, act: ProposedAct, token: string): Promise<undefined> {
  await execute(policy, useConfirmation, { act, token }, systemCaller('confirmation'));
  return undefined;
}

/** The house's own commands are no tools: flow steps and clocks call them. */
function isOffered(command: AnyDefinition): boolean {
  return command.audience.some((audience) => audience !== 'system');
}

function unknownTool(name: string): AirtimeError {
  return new AirtimeError(404, 'notFound', `There is no tool ${name}.`, { facts: { tool: name } });
}

// ---- descriptors ----

const openObject: JsonObject = { type: 'object', additionalProperties: true };

export function describeCommand(command: AnyDefinition): ToolDescriptor {
  const contract = contractOf(command);
  return {
    name: command.name,
    summary: command.summary,
    audience: command.audience.filter((audience) => audience !== 'system'),
    effect: command.effect,
    input: contract?.input ?? jsonSchema(command.input, 'input'),
    output: contract?.output ?? outputSchema(command) ?? openObject,
    rules: command.rules.map(({ code, sentence }) => ({ code, sentence })),
    ...typingOf(command),
  };
}

export function describeQuery(query: AnyQuery): ToolDescriptor {
  return {
    name: query.name,
    summary: query.summary,
    audience: query.audience,
    effect: 'read',
    input: jsonSchema(query.input, 'input'),
    output: jsonSchema(query.output, 'output'),
    rules: [],
    positional: query.positional ?? [],
    examples: query.examples ?? [],
    ...(query.view === undefined ? {} : { view: query.view }),
  };
}

/** The descriptors of everything that is offered to anybody: what help, completion and the reference are made from. */
export function describeTools(
  commands: readonly AnyDefinition[],
  queries: readonly AnyQuery[],
  extra: readonly Pick<Tool, 'descriptor'>[] = [],
): ToolDescriptor[] {
  return [
    ...commands.filter(isOffered).map(describeCommand),
    ...queries.map(describeQuery),
    ...extra.map((tool) => tool.descriptor),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function outputSchema(command: AnyDefinition): JsonObject | undefined {
  return 'output' in command && command.output instanceof z.ZodType ? jsonSchema(command.output, 'output') : undefined;
}

/**
 * A zod schema as JSON Schema. A Date is the text that it becomes, a bigint a number or its digits, a body of the standard
 * its place in the contract; what else JSON cannot say is left open rather than refused.
 */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  const made: unknown = JSON.parse(
    JSON.stringify(
      z.toJSONSchema(schema, {
        io,
        unrepresentable: 'any',
        override: ({ zodSchema, jsonSchema: own }) => {
          const { type } = zodSchema._zod.def;
          if (type === 'bigint') Object.assign(own, exact);
          if (type === 'date') Object.assign(own, { type: 'string', format: 'date-time' });
          const { contract, description, ...rest } = own;
          if (typeof contract !== 'string') return;
          for (const name of Object.keys(own)) delete own[name];
          Object.assign(own, rest, bodyOf(contract, String(description ?? '')));
        },
      }),
    ),
  );
  if (!isJsonObject(made)) throw new Error('a JSON Schema is an object');
  const { $schema: _, ...rest } = made;
  return rest;
}

// ---- running ----

function commandTool(command: AnyDefinition, policy: Policy): Tool {
  return {
    descriptor: describeCommand(command),
    run: (input, caller, keep, before) => {
      const options = before ? { before } : {};
      return keep
        ? runKeeping(policy, command, input ?? {}, caller, options, keep)
        : runCommand(policy, command, input ?? {}, caller, options);
    },
    ...('single' in command
      ? {}
      : { preview: (input: unknown, caller: Caller) => previewCommand(policy, command, input ?? {}, caller) }),
  };
}

function queryTool(query: AnyQuery, pool: Pool): Tool {
  return {
    descriptor: describeQuery(query),
    run: async (input, caller) => query.run(pool, checkedInput(query.name, query.input, input), caller),
  };
}

/** The input as its schema reads it. @throws AirtimeError 400 with a fault for each thing that is wrong. */
export function checkedInput<Input>(name: string, schema: z.ZodType<Input>, input: unknown): Input {
  const parsed = schema.safeParse(input ?? {});
  if (!parsed.success) throw invalidInput(name, parsed.error);
  return parsed.data;
}

function invalidInput(name: string, error: z.ZodError): AirtimeError {
  const faults = error.issues.map((issue) => ({
    field: issue.path.join('.') || 'input',
    rule: issue.message,
    remedy: `See the input of ${name}.`,
  }));
  return invalid(`${name}: ${faults.map((fault) => `${fault.field}: ${fault.rule}`).join('; ')}.`, faults);
}

// ---- a customer's own tools ----

// A customer's tools take no customer id; one that is sent is refused, whosever it is.
function asOwner(descriptor: ToolDescriptor, input: unknown, caller: Caller): unknown {
  if (!hasOwnerField(descriptor)) return input;
  const given = input ?? {};
  if (!isJsonObject(given)) return given;
  if (Object.hasOwn(given, ownerField)) {
    throw invalid(`${descriptor.name}: ${ownerField} is not an input of yours.`, [
      { field: ownerField, rule: 'the session says who asks', remedy: `Leave ${ownerField} out.` },
    ]);
  }
  return { ...given, [ownerField]: caller.customerId ?? '' };
}

class ForeignOwner extends Error {
  override readonly name = 'ForeignOwner';
  constructor(readonly customerId: string) {
    super('an answer names another customer');
  }
}

const customerIdForm = /^cus_[0-9a-z]{26}$/;

/** The second check of ownership, on the way out: whatever customer an answer names must be the one who asked. */
function foreignOwner(value: unknown, own: string | undefined): string | undefined {
  if (typeof value === 'string') return customerIdForm.test(value) && value !== own ? value : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const part of Object.values(value)) {
    const found = foreignOwner(part, own);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The answer as JSON can carry it. A bigint beyond what a number holds exactly becomes a string of digits. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value === undefined ? null : value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .map(([name, part]) => [name, plain(part)]),
  );
}
