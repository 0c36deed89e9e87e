import { z } from 'zod';
import { command } from '../core/command.ts';
import { refs } from '../core/party.ts';
import { documentOf, type Stored, storedShape } from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { findRow, getRow, type Tables } from '../core/table.ts';
import { logInteraction } from '../interaction/commands.ts';
import { portOutNumber } from '../inventory/inventory.ts';
import { endLine } from './end.ts';
import { productResource } from './line.ts';
import { isLive, type LineFacts, theLine } from './rules.ts';

interface PortFacts extends LineFacts {
  number: Tables['phoneNumber'] | undefined;
}

export const portedOutIsFinal = rule<PortFacts>({
  code: 'number.ported_out_is_final',
  sentence: 'This number went to another operator: that is final.',
  status: 409,
  kept: ({ number }) => number?.state !== 'ported out',
  shown: ({ number }) => ({ number: number?.msisdn ?? null }),
});

export const portOutNeedsLiveLine = rule<PortFacts>({
  code: 'number.port_out_needs_live_line',
  sentence: 'A number goes to another operator from a live line of ours: this one serves none.',
  kept: ({ line, number }) => isLive(line) && number?.state === 'assigned',
  shown: ({ line, number }) => ({
    number: number?.msisdn ?? null,
    state: number?.state ?? null,
    line: line?.id ?? null,
  }),
});

const portInput = z.object({
  msisdn: z
    .string()
    .regex(/^\d{6,15}$/)
    .describe('The number that goes to another operator'),
});

/** The number leaves and the line ends with it, at once: what was paid is not given back. */
export const portOut = command<z.infer<typeof portInput>, PortFacts, Stored>({
  name: 'number.port_out',
  summary: 'Let a number go to another operator, for good; its line ends',
  input: portInput,
  output: storedShape(productResource),
  audience: ['operator', 'integrator'],
  effect: 'destructive',
  positional: ['msisdn'],
  examples: ['bss number port-out 6581000000'],
  rules: [portedOutIsFinal, portOutNeedsLiveLine],
  async facts(tx, input) {
    const known = await findRow(tx, 'phoneNumber', { msisdn: input.msisdn });
    // A line is locked before its number, as the steps that give it back do.
    const line = known?.subscriptionId
      ? await findRow(tx, 'subscription', { id: known.subscriptionId }, true)
      : undefined;
    const number = await findRow(tx, 'phoneNumber', { msisdn: input.msisdn }, true);
    return { number, line: line?.id === number?.subscriptionId ? line : undefined };
  },
  preview: ({ line }, input) => ({
    what: `Let the number ${input.msisdn} go to another operator, and end its line now.`,
    ...(line ? { customer: { id: line.customerId, name: null } } : {}),
    details: ['That is final: the number does not come back. Nothing is given back.'],
  }),
  async apply(tx, facts) {
    const line = theLine(facts);
    if (!facts.number) throw new Error('a number that goes is there');
    await portOutNumber(tx, facts.number);
    await endLine(tx, line.id);
    await logInteraction(tx, {
      customerId: line.customerId,
      direction: 'inbound',
      reason: 'number ported out',
      description: `The number ${line.msisdn} goes to another operator`,
      about: [refs.product(line.id)],
    });
    const ended = await getRow(tx, 'subscription', { id: line.id });
    return { id: ended.id, document: documentOf(ended), version: ended.version };
  },
});
