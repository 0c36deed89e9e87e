import { z } from 'zod';
import type { Audience, Caller } from '../kernel/caller.ts';
import { clockNeedsSandboxes, clockNeverGoesBack } from '../policy/clock/commands.ts';
import type { Effect } from '../policy/core/command.ts';
import { checkedInput, jsonSchema, type Tool, type ToolDescriptor } from './registry.ts';

/** A tool that is neither command nor query, defined once like them; whoever wires it says how it is done. */
export interface ExtraTool<Input, Output> {
  readonly name: string;
  readonly summary: string;
  readonly audience: readonly Audience[];
  readonly effect: Effect;
  readonly input: z.ZodType<Input>;
  readonly output: z.ZodType<Output>;
  readonly rules?: readonly { code: string; sentence: string }[];
  readonly positional?: readonly string[];
  readonly examples?: readonly string[];
  readonly view?: string;
}

export function describeExtra<Input, Output>(definition: ExtraTool<Input, Output>): ToolDescriptor {
  return {
    name: definition.name,
    summary: definition.summary,
    audience: definition.audience,
    effect: definition.effect,
    input: jsonSchema(definition.input, 'input'),
    output: jsonSchema(definition.output, 'output'),
    rules: definition.rules ?? [],
    positional: definition.positional ?? [],
    examples: definition.examples ?? [],
    ...(definition.view === undefined ? {} : { view: definition.view }),
  };
}

/** Makes the tool of a definition from what does its work. */
export function bindExtra<Input, Output>(
  definition: ExtraTool<Input, Output>,
  work: (input: Input, caller: Caller) => Promise<Output>,
): Tool {
  return {
    descriptor: describeExtra(definition),
    run: async (input, caller) => work(checkedInput(definition.name, definition.input, input), caller),
  };
}

/** Steps business time through each due instant and runs what falls due there; done by workers, not by one transaction. */
export const advanceClock: ExtraTool<
  { to?: string | undefined; days?: number | undefined; hours?: number | undefined },
  { from: string; now: string; instants: number }
> = {
  name: 'clock.advance',
  summary: 'Step business time forward, running what falls due on the way',
  audience: ['operator'],
  effect: 'write',
  input: z
    .strictObject({
      to: z.iso.datetime({ offset: true }).optional().describe('The instant to stop at'),
      days: z.number().int().min(1).max(3660).optional().describe('So many days from now'),
      hours: z.number().int().min(1).max(100_000).optional().describe('So many hours from now'),
    })
    .refine(({ to, days, hours }) => [to, days, hours].filter((one) => one !== undefined).length === 1, {
      message: 'give exactly one of to, days and hours',
    }),
  output: z.looseObject({
    from: z.string(),
    now: z.string(),
    instants: z.number().int().describe('How many instants it stopped at'),
  }),
  rules: [clockNeedsSandboxes, clockNeverGoesBack].map(({ code, sentence }) => ({ code, sentence })),
  examples: ['bss clock advance --days 31', 'bss clock advance --to 2027-01-31T00:00:00+08:00'],
};
