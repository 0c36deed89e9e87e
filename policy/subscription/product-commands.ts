import type { JsonObject } from '../../kernel/json.ts';
import { command } from '../core/command.ts';
import { objects, text } from '../core/party.ts';
import {
  type CreateInput,
  checkContract,
  checkRequired,
  createInput,
  neverDeleted,
  type ResourceCommands,
  type ResourceDefinition,
  type ResourceFacts,
  resourceCommands,
  type Stored,
} from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { updateRows } from '../core/table.ts';
import { acknowledge, orderFacts, previewOrder } from '../order/commands.ts';
import { buyingRules, type OrderFacts } from '../order/rules.ts';
import { createLine, productResource } from './line.ts';

/** What a client may say of a product, when it is made and later. Every other attribute of the contract is the line's. */
const descriptive = ['name', 'description', 'isCustomerVisible', 'place', '@type', '@baseType', '@schemaLocation'];

/** The attributes of the contract that are facts of the line, and those that the house adds to it. */
const lineFacts = [
  'status',
  'productOffering',
  'productSpecification',
  'productPrice',
  'productTerm',
  'productCharacteristic',
  'productSerialNumber',
  'productOrderItem',
  'productRelationship',
  'product',
  'realizingService',
  'realizingResource',
  'relatedParty',
  'billingAccount',
  'agreement',
  'isBundle',
  'orderDate',
  'startDate',
  'terminationDate',
  'blockReason',
  'pendingChange',
];

const changedFacts = (facts: ResourceFacts) =>
  lineFacts.filter((name) => JSON.stringify(facts.before?.[name]) !== JSON.stringify(facts.document[name]));

/**
 * A product's state, price, terms and numbers follow from orders, payments, usage and the clock. No write of theirs
 * unblocks a line, which is why there is no attribute here that could.
 */
export const lineFactsAreFixed = rule<ResourceFacts>({
  code: 'product.line_facts_are_fixed',
  sentence:
    'State, price, terms, number and owner of a product follow from its orders: only its description is yours to change.',
  status: 409,
  kept: (facts) => changedFacts(facts).length === 0,
  shown: (facts) => ({ attributes: changedFacts(facts) }),
});

// On the wire a line's state has other words than in its row, where a check allows only ours.
const rowStates: Readonly<Record<string, string>> = { pendingActive: 'pending', suspended: 'blocked' };

const patchedProduct: ResourceDefinition<'subscription'> = {
  ...productResource,
  columns: (document) => {
    const status = text(document.status) ?? '';
    return { ...productResource.columns?.(document), state: rowStates[status] ?? status };
  },
};

const described = resourceCommands(patchedProduct, {
  operations: ['patch', 'remove'],
  patchRules: [lineFactsAreFixed],
  removeRules: [neverDeleted(productResource, 'it is what was sold, also after its end')],
});

/** The order that a client places by creating a product: one plan, for the customer it names. */
function orderFor(product: JsonObject): JsonObject {
  const wished = objects(product.productCharacteristic).filter((one) => text(one.name)?.toLowerCase() === 'msisdn');
  return {
    category: 'mobile',
    ...(product.relatedParty === undefined ? {} : { relatedParty: product.relatedParty }),
    productOrderItem: [
      {
        id: '1',
        action: 'add',
        quantity: 1,
        ...(product.productOffering === undefined ? {} : { productOffering: product.productOffering }),
        ...(wished.length > 0 ? { product: { productCharacteristic: wished } } : {}),
      },
    ],
  };
}

/** What is kept of a product as the client sent it: descriptions, its own characteristics, unknown attributes. */
function givenOf(product: JsonObject): JsonObject {
  const characteristics = objects(product.productCharacteristic);
  return {
    ...Object.fromEntries(
      Object.entries(product).filter(
        ([name]) => descriptive.includes(name) || !(lineFacts.includes(name) || name === 'id' || name === 'href'),
      ),
    ),
    ...(characteristics.length > 0 ? { productCharacteristic: characteristics } : {}),
  };
}

const create = command<CreateInput, OrderFacts & { product: JsonObject }, Stored>({
  name: 'product.create',
  summary: 'Order a line by a TMF637 body',
  input: createInput,
  audience: ['operator', 'integrator'],
  effect: 'money',
  rules: buyingRules,
  async facts(tx, input) {
    const product = input.document as JsonObject;
    checkRequired(productResource, product);
    await checkContract(productResource, product);
    return { ...(await orderFacts(tx, orderFor(product))), product };
  },
  preview: previewOrder,
  async apply(tx, facts) {
    const order = await acknowledge(tx, facts);
    const [item] = facts.items;
    if (!item?.terms || !facts.customer) throw new Error('an acknowledged order has terms and a customer');
    const line = await createLine(tx, {
      id: tx.newId('sub'),
      customerId: facts.customer.id,
      customerName: facts.customer.name,
      terms: item.terms,
      given: givenOf(facts.product),
      productOrderId: order.id,
      itemId: item.itemId,
    });
    await updateRows(tx, 'orderItem', { productOrderId: order.id, itemId: item.itemId }, { subscriptionId: line.id });
    return line;
  },
});

export const productCommands: ResourceCommands = { ...described, create };
