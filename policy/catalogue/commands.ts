import { z } from 'zod';
import type { JsonObject } from '../../kernel/json.ts';
import { command } from '../core/command.ts';
import { objects, text } from '../core/party.ts';
import {
  type ClientWrites,
  documentOf,
  legalTransition,
  lockResource,
  type ResourceCommands,
  resourceCommands,
  type Stored,
  saveResource,
  storedShape,
} from '../core/resource.ts';
import { findRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { lifecycleStates } from './machine.ts';
import { isWithin, offeringCode, offeringTerms } from './offering-terms.ts';
import {
  catalogResource,
  categoryResource,
  productOfferingPriceResource,
  productOfferingResource,
  productSpecificationResource,
} from './resource.ts';
import {
  codeUnique,
  type OfferingFacts,
  offeringUnused,
  onSaleNeedsTerms,
  type PriceFacts,
  priceNotNegative,
  priceUnused,
  windowInOrder,
} from './rules.ts';

/** What every entry of the catalogue is given: a type, a lifecycle that begins, a version and its last change. */
function entry(type: string, more: (document: JsonObject) => JsonObject = () => ({})): ClientWrites {
  return {
    defaults: (document, tx) => ({
      '@type': type,
      lifecycleStatus: 'In Study',
      version: '1.0',
      ...more(document),
      ...document,
      lastUpdate: tx.now.toISOString(),
    }),
    touch: (document, _, tx) => ({ ...document, lastUpdate: tx.now.toISOString() }),
    createRules: [windowInOrder],
    patchRules: [windowInOrder],
  };
}

async function usersOf(tx: Tx, offeringId: string): Promise<OfferingFacts['users']> {
  const [users] = await tx.sql<{ lines: bigint; items: bigint }>`SELECT
    (SELECT count(*) FROM "subscription" WHERE "offering_id" = ${offeringId} OR "pending_change" ->> 'offeringId' = ${offeringId})
      + (SELECT count(*) FROM "bucket" WHERE "offering_id" = ${offeringId}) AS "lines",
    (SELECT count(*) FROM "order_item" WHERE "offering_id" = ${offeringId}) AS "items"`;
  return { lines: Number(users?.lines ?? 0), orderItems: Number(users?.items ?? 0) };
}

async function offeringFacts(
  tx: Tx,
  document: JsonObject,
  before: JsonObject | undefined,
): Promise<Pick<OfferingFacts, 'codeOwner' | 'terms' | 'users'>> {
  // A deletion judges the stored document itself; counting its users on every change would be for nothing.
  const id = text(document.id);
  if (document === before && id !== undefined) {
    return { codeOwner: undefined, terms: { fault: 'it is to be deleted' }, users: await usersOf(tx, id) };
  }
  const code = offeringCode(document);
  let codeOwner: string | undefined;
  if (code !== undefined) {
    // Two offerings that are created at once with one code: the second waits here and then sees the first.
    await tx.sql`SELECT pg_advisory_xact_lock(hashtextextended(${`offering code ${code}`}, 0))`;
    const owner = await findRow(tx, 'productOffering', { code });
    codeOwner = owner?.id === id ? undefined : owner?.id;
  }
  const priceIds = objects(document.productOfferingPrice).flatMap((price) => text(price.id) ?? []);
  const prices = await tx.sql<{
    document: unknown;
  }>`SELECT "document" FROM "product_offering_price" WHERE "id" = ANY(${priceIds}) FOR KEY SHARE`;
  const inForce = prices.map(documentOf).filter((price) => isWithin(price.validFor, tx.now));
  // A new offering has no id yet, and its terms do not depend on it.
  const terms = offeringTerms({ id: 'ofr_new', ...document }, inForce, tx.settings);
  return { codeOwner, terms, users: { lines: 0, orderItems: 0 } };
}

async function priceFacts(
  tx: Tx,
  document: JsonObject,
  before: JsonObject | undefined,
): Promise<Pick<PriceFacts, 'offerings'>> {
  if (document !== before) return { offerings: [] };
  const reference = JSON.stringify({ productOfferingPrice: [{ id: document.id }] });
  const users = await tx.sql<{
    id: string;
  }>`SELECT "id" FROM "product_offering" WHERE "document" @> ${reference}::jsonb ORDER BY "id" LIMIT 20`;
  return { offerings: users.map((user) => user.id) };
}

export const catalogCommands: ResourceCommands = resourceCommands(catalogResource, entry('Catalog'));

export const categoryCommands: ResourceCommands = resourceCommands(
  categoryResource,
  entry('Category', (document) => ({ isRoot: document.parentId === undefined })),
);

export const productSpecificationCommands: ResourceCommands = resourceCommands(
  productSpecificationResource,
  entry('ProductSpecification', () => ({ isBundle: false })),
);

export const productOfferingCommands: ResourceCommands = resourceCommands(productOfferingResource, {
  ...entry('ProductOffering', () => ({ isBundle: false, isSellable: true })),
  createRules: [windowInOrder, priceNotNegative, codeUnique, onSaleNeedsTerms],
  patchRules: [windowInOrder, priceNotNegative, codeUnique, onSaleNeedsTerms],
  removeRules: [offeringUnused],
  extraFacts: offeringFacts,
});

export const productOfferingPriceCommands: ResourceCommands = resourceCommands(productOfferingPriceResource, {
  ...entry('ProductOfferingPrice', () => ({ isBundle: false })),
  createRules: [windowInOrder, priceNotNegative],
  patchRules: [windowInOrder, priceNotNegative],
  removeRules: [priceUnused],
  extraFacts: priceFacts,
});

const moveInput = z.object({
  offering: z.string().describe('Its code or its id'),
  status: z.enum(lifecycleStates).describe('Where it goes in its life'),
});

export const moveOffering = command<z.infer<typeof moveInput>, OfferingFacts & { stored: Stored }, Stored>({
  name: 'product_offering.move',
  summary: 'Move an offering along its life: put it on sale, retire it',
  input: moveInput,
  output: storedShape(productOfferingResource),
  audience: ['operator', 'integrator'],
  effect: 'write',
  positional: ['offering', 'status'],
  examples: ['bss product-offering move PLAN_S Retired'],
  rules: [legalTransition(productOfferingResource), onSaleNeedsTerms],
  async facts(tx, input) {
    const named = (await findRow(tx, 'productOffering', { code: input.offering }))?.id ?? input.offering;
    const stored = await lockResource(tx, productOfferingResource, named);
    const document: JsonObject = { ...stored.document, lifecycleStatus: input.status };
    return {
      ...stored,
      document,
      before: stored.document,
      stored,
      ...(await offeringFacts(tx, document, stored.document)),
    };
  },
  apply(tx, facts) {
    if (facts.document.lifecycleStatus === facts.stored.document.lifecycleStatus) return Promise.resolve(facts.stored);
    const document = { ...facts.document, lastUpdate: tx.now.toISOString() };
    return saveResource(tx, productOfferingResource, facts.stored, document);
  },
});
