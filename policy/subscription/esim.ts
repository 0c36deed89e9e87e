import { z } from 'zod';
import { AirtimeError } from '../../kernel/error.ts';
import { command } from '../core/command.ts';
import type { StepDefinition } from '../core/flow.ts';
import { belongsToCaller } from '../core/ownership.ts';
import { objects, refs, text } from '../core/party.ts';
import { documentOf, type Stored, saveResource, storedShape } from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { findRows, getRow, updateRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { logInteraction } from '../interaction/commands.ts';
import { deleteEsim, handOutEsim, reserveEsim, takeBackEsim } from '../inventory/inventory.ts';
import { describeLine, type Line, lockLine, orderNetwork, productResource } from './line.ts';
import { lineServiceResource } from './provision.ts';
import { type LineFacts, lineFacts, needsLiveLine, theLine } from './rules.ts';

// Another eSIM profile for a line: reserved, told to the network, and in place of the old one once the network has
// confirmed it. Nothing here touches what blocks a line: the network is told the line's own state beside the profile.

interface ReplaceFacts extends LineFacts {
  /** Profiles that are held for the line: one that is on its way in, or back. */
  held: number;
  free: number;
}

export const replaceNeedsLiveLine = needsLiveLine('subscription.replace_esim_needs_live_line', 'gets another eSIM');

export const oneReplacementAtATime = rule<ReplaceFacts>({
  code: 'subscription.one_esim_replacement_at_a_time',
  sentence: 'The eSIM of this line is being replaced already: wait for the network.',
  status: 409,
  kept: (facts) => facts.held === 0,
});

export const replacementInStock = rule<ReplaceFacts>({
  code: 'subscription.replace_esim_needs_stock',
  sentence: 'No eSIM profile is left: load a batch.',
  kept: (facts) => facts.free > 0,
});

const replaceInput = z.object({ subscriptionId: z.string().describe('The line') });

export const replaceEsim = command<z.infer<typeof replaceInput>, ReplaceFacts, Stored>({
  name: 'subscription.replace_esim',
  summary: 'Give a line another eSIM profile; the old one is deleted once the network has the new one',
  input: replaceInput,
  output: storedShape(productResource),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'destructive',
  positional: ['subscriptionId'],
  examples: ['bss subscription replace-esim sub_…'],
  rules: [
    belongsToCaller<ReplaceFacts>(({ line }) => line?.customerId),
    replaceNeedsLiveLine,
    oneReplacementAtATime,
    replacementInStock,
  ],
  async facts(tx, input) {
    const facts = await lineFacts(tx, input.subscriptionId);
    const [stock] = await tx.sql<{ held: bigint; free: bigint }>`SELECT
      (SELECT count(*) FROM "esim_profile" WHERE "held_for" = ${input.subscriptionId} AND "state" = 'reserved') AS held,
      (SELECT count(*) FROM (SELECT 1 FROM "esim_profile" WHERE "state" = 'available' LIMIT 1) e) AS free`;
    return { ...facts, held: Number(stock?.held ?? 0), free: Number(stock?.free ?? 0) };
  },
  preview: ({ line }, input) => ({
    what: `Give the line ${line?.msisdn ?? input.subscriptionId} another eSIM profile.`,
    ...(line ? { customer: { id: line.customerId, name: null } } : {}),
    details: ['The profile it has is deleted once the network has the new one: the phone must fetch that.'],
  }),
  async apply(tx, facts) {
    const line = theLine(facts);
    const esim = await reserveEsim(tx, line.id);
    // Others may be taking the last ones at this instant: then this is tried again.
    if (!esim) throw new AirtimeError(503, 'unavailable', 'Every eSIM profile that is left is being taken. Try again.');
    await updateRows(tx, 'subscription', { id: line.id }, { nextEsimId: esim.id });
    await orderNetwork(tx, line.id, {
      flow: 'line',
      subject: line.id,
      confirmed: 'esim_replaced',
      refused: 'esim_refused',
    });
    return { id: line.id, document: documentOf(line), version: line.version };
  },
});

async function describeServices(tx: Tx, line: Line, esim: { id: string; iccid: string }): Promise<void> {
  for (const service of await findRows(tx, 'service', { subscriptionId: line.id }, true)) {
    const document = documentOf(service);
    const supportingResource = objects(document.supportingResource).map((one) =>
      one.id === line.esimId ? { ...refs.esim(esim.id), value: `…${esim.iccid.slice(-4)}` } : one,
    );
    await saveResource(tx, lineServiceResource, { ...service, document }, { ...document, supportingResource });
  }
  if (line.serviceId !== null) await updateRows(tx, 'service', { id: line.serviceId }, { esimId: esim.id });
}

/** The network has the new profile: it takes the place of the old one, which is deleted. */
const replaced: StepDefinition = {
  flow: 'line',
  step: 'esim_replaced',
  summary: 'Put the new eSIM in the place of the old one',
  async run(context) {
    await context.finish('subscription.record_esim', async (tx) => {
      const line = await lockLine(tx, context.step.subject);
      // A line that ended meanwhile gives both profiles back, with its number.
      if (line.nextEsimId === null || line.state === 'terminated') return;
      const esim = await getRow(tx, 'esimProfile', { id: line.nextEsimId }, true);
      await handOutEsim(tx, esim.id, line.id);
      if (line.esimId !== null) await deleteEsim(tx, line.esimId, [line.id]);
      await describeServices(tx, line, esim);
      await describeLine(tx, line, (document) => ({ ...document, realizingResource: [refs.esim(esim.id)] }), {
        esimId: esim.id,
        nextEsimId: null,
      });
      await logInteraction(tx, {
        customerId: line.customerId,
        channel: tx.caller.surface,
        direction: 'inbound',
        reason: 'eSIM replaced',
        description: `${line.msisdn} has another eSIM, whose ICCID ends ${esim.iccid.slice(-4)}`,
      });
    });
  },
};

/**
 * The network would not take the new profile: the line keeps the old one. What the network made of the last try may not
 * be known, so it is told of the old profile again, and the new one goes back only when that is confirmed.
 */
const refused: StepDefinition = {
  flow: 'line',
  step: 'esim_refused',
  summary: 'Keep the old eSIM',
  async run(context) {
    await context.finish('subscription.keep_esim', async (tx) => {
      const line = await lockLine(tx, context.step.subject);
      if (line.nextEsimId === null || line.state === 'terminated') return;
      await updateRows(tx, 'subscription', { id: line.id }, { nextEsimId: null });
      await orderNetwork(tx, line.id, { flow: 'line', subject: line.id, confirmed: 'esim_returned' });
      await logInteraction(tx, {
        customerId: line.customerId,
        channel: 'system',
        direction: 'outbound',
        reason: 'eSIM not replaced',
        description: `${line.msisdn} keeps its eSIM: ${text(context.step.input.reason) ?? 'the network refused'}`,
      });
    });
  },
};

const returned: StepDefinition = {
  flow: 'line',
  step: 'esim_returned',
  summary: 'Return the eSIM that was not taken',
  async run(context) {
    await context.finish('inventory.release', async (tx) => {
      const line = await lockLine(tx, context.step.subject);
      for (const held of await findRows(tx, 'esimProfile', { heldFor: line.id }))
        await takeBackEsim(tx, held.id, [line.id]);
    });
  },
};

export const esimSteps: readonly StepDefinition[] = [replaced, refused, returned];
