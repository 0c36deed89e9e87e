import { z } from 'zod';
import type { JsonObject } from '../../kernel/json.ts';
import { command } from '../core/command.ts';
import { belongsToCaller } from '../core/ownership.ts';
import { objects } from '../core/party.ts';
import { documentOf, type Stored, saveResource, storedShape } from '../core/resource.ts';
import { getRow, insertRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { logInteraction } from '../interaction/commands.ts';
import { describeLine, type Line, orderNetwork, productResource } from './line.ts';
import { lineServiceResource } from './provision.ts';
import { type LineFacts, lineFacts, needsLiveLine, theLine } from './rules.ts';

export const roamingNeedsLiveLine = needsLiveLine('subscription.roaming_needs_live_line', 'has a roaming switch');

const withSwitch = (characteristics: readonly JsonObject[], isEnabled: boolean): JsonObject[] => [
  ...characteristics.filter((one) => one.name !== 'roaming'),
  { name: 'roaming', valueType: 'boolean', value: isEnabled },
];

async function describeService(tx: Tx, line: Line, isEnabled: boolean): Promise<void> {
  if (line.serviceId === null) return;
  const service = await getRow(tx, 'service', { id: line.serviceId }, true);
  const document = documentOf(service);
  await saveResource(
    tx,
    lineServiceResource,
    { ...service, document },
    { ...document, serviceCharacteristic: withSwitch(objects(document.serviceCharacteristic), isEnabled) },
  );
}

const roamingInput = z.object({
  subscriptionId: z.string().describe('The line'),
  roaming: z.enum(['on', 'off']).describe('Whether data may be used abroad'),
});

/**
 * The line's own switch, beside its quota: data abroad flows when the switch is on and roaming quota is left. It never
 * gives quota and never unblocks; the network is told in the same transaction, as far as it changes anything there.
 */
export const setRoaming = command<z.infer<typeof roamingInput>, LineFacts, Stored>({
  name: 'subscription.set_roaming',
  summary: 'Switch roaming of a line on or off',
  input: roamingInput,
  output: storedShape(productResource),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'write',
  positional: ['subscriptionId', 'roaming'],
  examples: ['bss subscription set-roaming sub_… off'],
  rules: [belongsToCaller<LineFacts>(({ line }) => line?.customerId), roamingNeedsLiveLine],
  facts: (tx, input) => lineFacts(tx, input.subscriptionId),
  async apply(tx, facts, input) {
    const line = theLine(facts);
    const isEnabled = input.roaming === 'on';
    if (line.roamingEnabled === isEnabled) return { id: line.id, document: documentOf(line), version: line.version };
    const switched = await describeLine(
      tx,
      line,
      (document) => ({
        ...document,
        productCharacteristic: withSwitch(objects(document.productCharacteristic), isEnabled),
      }),
      { roamingEnabled: isEnabled },
    );
    await insertRow(tx, 'roamingSwitch', { subscriptionId: line.id, fromAt: tx.now, isEnabled });
    await describeService(tx, line, isEnabled);
    await orderNetwork(tx, line.id);
    await logInteraction(tx, {
      customerId: line.customerId,
      direction: 'inbound',
      reason: 'roaming',
      description: `Roaming of ${line.msisdn} switched ${input.roaming}`,
    });
    return { id: switched.id, document: documentOf(switched), version: switched.version };
  },
});
