import type { JsonObject } from '../../kernel/json.ts';
import { command } from '../core/command.ts';
import { text } from '../core/party.ts';
import {
  type CreateInput,
  checkContract,
  createInput,
  createResource,
  type ResourceCommands,
  type ResourceFacts,
  type Stored,
} from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { paymentResource } from './payment.ts';

/**
 * Orders, renewals and top-ups charge by themselves, so nothing of ours waits to be settled by a payment from outside.
 * Such a payment is kept, `denied`, and moves nothing.
 */
export const nothingToSettle = rule<ResourceFacts>({
  code: 'payment.settles_an_open_order_or_bill',
  sentence: 'Nothing is due for this payment: orders, renewals and top-ups charge the card on file by themselves.',
  kept: () => false,
});

const create = command<CreateInput, ResourceFacts, Stored>({
  name: 'payment.create',
  summary: 'Ask for a payment by a TMF676 body',
  input: createInput,
  audience: ['operator', 'integrator'],
  effect: 'money',
  rules: [nothingToSettle],
  async facts(_tx, input) {
    const document = input.document as JsonObject;
    await checkContract(paymentResource, { id: 'new', ...document });
    return { id: '', version: 0n, before: undefined, document };
  },
  // Its rule refuses each one, so nobody is asked; what it would be is said all the same.
  preview: ({ document }) => ({
    what: `Keep the payment ${text(document.name) ?? ''}: it settles nothing and takes nothing.`,
  }),
  apply: (tx, facts) => createResource(tx, paymentResource, facts.document),
  keepRefused: (tx, facts, _input, refusal) =>
    createResource(tx, paymentResource, {
      '@type': 'Payment',
      paymentDate: tx.now.toISOString(),
      ...facts.document,
      name: text(facts.document.name) ?? 'Payment',
      status: 'denied',
      statusDate: tx.now.toISOString(),
      statusReason: `${refusal.code}: ${refusal.message}`,
    }),
});

export const paymentCommands: ResourceCommands = { create };
