import { z } from 'zod';
import type { CardFacts, CardGateway } from '../../adapters/card-gateway.ts';
import { endOfCardMonth } from '../../kernel/calendar.ts';
import { notFound } from '../../kernel/error.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { command, type Preview } from '../core/command.ts';
import { belongsToCaller, isAnothers } from '../core/ownership.ts';
import { customerIdOf, refs, text } from '../core/party.ts';
import {
  type CreateInput,
  checkContract,
  checkIfMatch,
  checkImmutable,
  createInput,
  createResource,
  documentOf,
  legalTransition,
  lockResource,
  type PatchInput,
  patched,
  patchInput,
  type RemoveInput,
  type ResourceCommands,
  type ResourceFacts,
  removeInput,
  removeResource,
  type Stored,
  saveResource,
  storedShape,
} from '../core/resource.ts';
import { findRow, findRows, type Tables } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { customerResource } from '../customer/resource.ts';
import { paymentMethodResource } from './resource.ts';
import {
  cardCustomerKnown,
  cardNotExpired,
  cardNotLastOfLiveLine,
  cardsAtMostFive,
  cardTokenKnown,
  type NewCardFacts,
} from './rules.ts';

const isCard = (document: JsonObject) => /^tokeni[sz]edCard$/i.test(text(document['@type']) ?? '');

// TMF670 puts the card's attributes beside the method's or in `details`; both are read.
function tokenOf(document: JsonObject): string | undefined {
  const details = isJsonObject(document.details) ? document.details : document;
  return text(document.token) ?? text(details.token);
}

export async function newCardFacts(tx: Tx, document: JsonObject, card: CardFacts | undefined): Promise<NewCardFacts> {
  const customerId = customerIdOf(document);
  const customer = customerId === undefined ? undefined : await findRow(tx, 'customer', { id: customerId }, true);
  const cards = customer ? await findRows(tx, 'paymentMethod', { customerId: customer.id, state: 'active' }) : [];
  return {
    id: '',
    version: 0n,
    before: undefined,
    document,
    isCard: isCard(document),
    token: tokenOf(document),
    card,
    customerId,
    customerExists: customer !== undefined && customer.state !== 'closed',
    cardsOnFile: cards.filter((one) => one.gatewayToken !== null).length,
  };
}

const rules = [cardCustomerKnown, cardTokenKnown, cardNotExpired, cardsAtMostFive];

export async function keepCard(tx: Tx, facts: NewCardFacts): Promise<Stored> {
  const { card } = facts;
  if (!facts.isCard || !card || facts.customerId === undefined) {
    return createResource(tx, paymentMethodResource, {
      ...facts.document,
      status: text(facts.document.status) ?? 'active',
    });
  }
  const expiresAt = endOfCardMonth(card.expiryYear, card.expiryMonth);
  const isPreferred = facts.document.isPreferred === true || facts.cardsOnFile === 0;
  if (isPreferred) await unprefer(tx, facts.customerId);
  const { token: _, details: __, ...rest } = facts.document;
  const stored = await createResource(
    tx,
    paymentMethodResource,
    {
      ...rest,
      status: 'active',
      statusDate: tx.now.toISOString(),
      isPreferred,
      brand: card.brand,
      lastFourDigits: card.lastFour,
      expirationDate: expiresAt.toISOString(),
      relatedParty: refs.customer(facts.customerId),
    },
    { gatewayToken: card.token, expiresAt, isPreferred },
  );
  await listOnCustomer(tx, facts.customerId);
  return stored;
}

/** One preferred card at a time. */
async function unprefer(tx: Tx, customerId: string): Promise<void> {
  for (const row of await findRows(tx, 'paymentMethod', { customerId, isPreferred: true }, true)) {
    await saveResource(
      tx,
      paymentMethodResource,
      { ...row, document: documentOf(row) },
      { ...documentOf(row), isPreferred: false },
    );
  }
}

/** TMF629 shows a customer's cards as references. */
async function listOnCustomer(tx: Tx, customerId: string): Promise<void> {
  const stored = await lockResource(tx, customerResource, customerId);
  const cards = await findRows(tx, 'paymentMethod', { customerId, state: 'active' });
  await saveResource(tx, customerResource, stored, {
    ...stored.document,
    paymentMethod: cards.map((card) => refs.paymentMethod(card.id, text(documentOf(card).name))),
  });
}

const describe = (gateway: CardGateway, document: JsonObject) => {
  const token = tokenOf(document);
  return isCard(document) && token !== undefined ? gateway.describeCard(token) : Promise.resolve(undefined);
};

const create = command<CreateInput, NewCardFacts, Stored>({
  name: 'payment_method.create',
  summary: 'Keep a payment method from a TMF670 body',
  input: createInput,
  audience: ['operator', 'integrator'],
  effect: 'write',
  rules,
  ask: (outside, input) => describe(outside.gateway, input.document as JsonObject),
  async facts(tx, input, asked) {
    await checkContract(paymentMethodResource, { id: 'new', ...(input.document as JsonObject) });
    return newCardFacts(tx, input.document as JsonObject, asked as CardFacts | undefined);
  },
  apply: keepCard,
});

const addInput = z.object({
  customerId: z.string().describe('Whose card it is'),
  token: z.string().min(1).max(200).describe('The token that the card gateway gave for the card'),
  isPreferred: z.boolean().optional().describe('Charge this card from now on'),
});

export const addCard = command<z.infer<typeof addInput>, NewCardFacts, Stored>({
  name: 'card.add',
  summary: 'Put a card on file for a customer',
  input: addInput,
  output: storedShape(paymentMethodResource),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'write',
  positional: ['customerId', 'token'],
  examples: ['bss card add cus_… tok_visa'],
  rules: [belongsToCaller<NewCardFacts>((facts) => facts.customerId), ...rules],
  ask: (outside, input) => outside.gateway.describeCard(input.token),
  facts: (tx, input, asked) =>
    newCardFacts(
      tx,
      {
        '@type': 'tokenizedCard',
        name: 'Card on file',
        token: input.token,
        relatedParty: refs.customer(input.customerId),
        ...(input.isPreferred === undefined ? {} : { isPreferred: input.isPreferred }),
      },
      asked as CardFacts | undefined,
    ),
  apply: keepCard,
});

/** What the gateway told us stays as it told us; a client may rename a method, describe it, or prefer it. */
const fixedOfCard = ['@type', 'status', 'brand', 'lastFourDigits', 'expirationDate', 'relatedParty', 'token'];

const patch = command<
  PatchInput,
  ResourceFacts & { stored: Stored & { row: Tables['paymentMethod'] }; changedFixed: string[] },
  Stored
>({
  name: 'payment_method.patch',
  summary: 'Rename or prefer a payment method',
  input: patchInput,
  audience: ['operator', 'integrator'],
  effect: 'write',
  rules: [
    legalTransition(paymentMethodResource),
    {
      code: 'card.facts_come_from_gateway',
      sentence:
        'The number, brand, expiry, owner and state of a card on file cannot be edited: add the new card instead.',
      status: 409,
      kept: (facts) => facts.changedFixed.length === 0,
      shown: (facts) => ({ attributes: facts.changedFixed }),
    },
  ],
  async facts(tx, input) {
    const stored = await lockResource(tx, paymentMethodResource, input.id);
    checkIfMatch(stored, input.ifMatch);
    const document = patched(stored, input.patch);
    checkImmutable(paymentMethodResource, stored.document, document);
    await checkContract(paymentMethodResource, document);
    const changedFixed =
      stored.row.gatewayToken === null
        ? []
        : fixedOfCard.filter((name) => JSON.stringify(stored.document[name]) !== JSON.stringify(document[name]));
    return { ...stored, document, before: stored.document, stored, changedFixed };
  },
  async apply(tx, facts) {
    const { customerId } = facts.stored.row;
    if (facts.document.isPreferred === true && !facts.stored.row.isPreferred && customerId)
      await unprefer(tx, customerId);
    return saveResource(tx, paymentMethodResource, facts.stored, facts.document);
  },
});

interface RemoveFacts extends ResourceFacts {
  otherCards: number;
  liveLines: number;
  isCharged: boolean;
  stored: Stored & { row: Tables['paymentMethod'] };
}

const remove = command<RemoveInput, RemoveFacts, { id: string }>({
  name: 'payment_method.delete',
  summary: 'Take a payment method off file',
  input: removeInput,
  audience: ['operator', 'integrator'],
  effect: 'destructive',
  positional: ['id'],
  rules: [cardNotLastOfLiveLine],
  async facts(tx, input) {
    const stored = await lockResource(tx, paymentMethodResource, input.id);
    checkIfMatch(stored, input.ifMatch);
    return removeFacts(tx, stored);
  },
  preview: previewRemoval,
  apply: takeOff,
});

async function removeFacts(tx: Tx, stored: RemoveFacts['stored']): Promise<RemoveFacts> {
  const { customerId } = stored.row;
  // The customer's lock keeps two removals of the last two cards apart.
  if (customerId) await findRow(tx, 'customer', { id: customerId }, true);
  const others = customerId ? await findRows(tx, 'paymentMethod', { customerId, state: 'active' }) : [];
  const [lines] = await tx.sql<{
    count: bigint;
  }>`SELECT count(*) FROM "subscription" WHERE "customer_id" = ${customerId} AND "state" <> 'terminated'`;
  return {
    ...stored,
    before: stored.document,
    stored,
    isCharged: stored.row.gatewayToken !== null,
    otherCards: others.filter(
      (one) => one.id !== stored.id && one.gatewayToken !== null && (one.expiresAt ?? tx.now) >= tx.now,
    ).length,
    liveLines: Number(lines?.count ?? 0),
  };
}

function previewRemoval({ document, stored }: RemoveFacts): Preview {
  const lastFour = text(document.lastFourDigits);
  const what =
    lastFour === undefined ? (text(document.name) ?? 'this payment method') : `the card ending in ${lastFour}`;
  return {
    what: `Take ${what} off file.`,
    ...(stored.row.customerId ? { customer: { id: stored.row.customerId, name: null } } : {}),
  };
}

async function takeOff(tx: Tx, { id, stored }: RemoveFacts): Promise<{ id: string }> {
  const { row } = stored;
  await removeResource(tx, paymentMethodResource, stored);
  if (row.customerId) {
    if (row.isPreferred) await preferAnother(tx, row.customerId);
    await listOnCustomer(tx, row.customerId);
  }
  return { id };
}

const cardInput = z.object({ cardId: z.string().describe('The card') });
const shownCard = z.object({ id: z.string() });

/** A card that is on file. One of somebody else is answered like one that there is not. */
async function lockCard(tx: Tx, cardId: string): Promise<RemoveFacts['stored']> {
  const row = await findRow(tx, 'paymentMethod', { id: cardId });
  if (!row || row.state === 'removed' || isAnothers(tx, row.customerId)) {
    throw notFound('card', cardId);
  }
  return lockResource(tx, paymentMethodResource, cardId);
}

const ownCard = belongsToCaller<RemoveFacts>(({ stored }) => stored.row.customerId);

export const removeCard = command<z.infer<typeof cardInput>, RemoveFacts, { id: string }>({
  name: 'card.remove',
  summary: 'Take a card off file',
  input: cardInput,
  output: shownCard,
  audience: ['operator', 'customer', 'integrator'],
  effect: 'destructive',
  positional: ['cardId'],
  examples: ['bss card remove pme_…'],
  rules: [ownCard, cardNotLastOfLiveLine],
  facts: async (tx, { cardId }) => removeFacts(tx, await lockCard(tx, cardId)),
  preview: previewRemoval,
  apply: takeOff,
});

export const preferCard = command<z.infer<typeof cardInput>, RemoveFacts, { id: string }>({
  name: 'card.prefer',
  summary: 'Charge this card from now on',
  input: cardInput,
  output: shownCard,
  audience: ['operator', 'customer', 'integrator'],
  effect: 'write',
  positional: ['cardId'],
  examples: ['bss card prefer pme_…'],
  rules: [ownCard],
  facts: async (tx, { cardId }) => removeFacts(tx, await lockCard(tx, cardId)),
  async apply(tx, { id, stored }) {
    if (stored.row.isPreferred || !stored.row.customerId) return { id };
    await unprefer(tx, stored.row.customerId);
    const now = await lockResource(tx, paymentMethodResource, id);
    await saveResource(tx, paymentMethodResource, now, { ...now.document, isPreferred: true });
    return { id };
  },
});

async function preferAnother(tx: Tx, customerId: string): Promise<void> {
  const [next] = (await findRows(tx, 'paymentMethod', { customerId, state: 'active' }, true)).filter(
    (row) => row.gatewayToken !== null,
  );
  if (next)
    await saveResource(
      tx,
      paymentMethodResource,
      { ...next, document: documentOf(next) },
      { ...documentOf(next), isPreferred: true },
    );
}

export const paymentMethodCommands: ResourceCommands = { create, patch, remove };

/** The card that a charge goes to: the preferred one that has not expired, else any other that has not. */
export function chargeableCard(
  cards: readonly Tables['paymentMethod'][],
  now: Date,
): Tables['paymentMethod'] | undefined {
  const usable = cards.filter(
    (card) => card.state === 'active' && card.gatewayToken !== null && card.expiresAt !== null && card.expiresAt >= now,
  );
  return usable.find((card) => card.isPreferred) ?? usable[0];
}
