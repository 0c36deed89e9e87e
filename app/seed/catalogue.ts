import type { Caller } from '../../kernel/caller.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { taxPercent } from '../../kernel/money.ts';
import {
  catalogCommands,
  categoryCommands,
  productOfferingCommands,
  productOfferingPriceCommands,
  productSpecificationCommands,
} from '../../policy/catalogue/commands.ts';
import type { AllowanceKind, OfferingKind } from '../../policy/catalogue/offering-terms.ts';
import { type AnyCommand, execute, type Policy } from '../../policy/core/command.ts';
import { refs } from '../../policy/core/party.ts';
import type { ResourceCommands, Stored } from '../../policy/core/resource.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { usageSpecificationCommands } from '../../policy/usage-specification/commands.ts';

type Amount = { value: number; unit: string } | 'unlimited';

interface SeedOffering {
  code: string;
  name: string;
  description: string;
  kind: OfferingKind;
  /** In units of the currency, tax included. Null: the line's own price. */
  price: number | null;
  allowances: Partial<Record<AllowanceKind, Amount>>;
  validity?: { value: number; unit: 'day' | 'h' };
}

const gb = (value: number): Amount => ({ value, unit: 'GB' });
const mb = (value: number): Amount => ({ value, unit: 'MB' });
const minutes = (value: number): Amount => ({ value, unit: 'min' });
const messages = (value: number): Amount => ({ value, unit: 'SMS' });
const days = (value: number) => ({ value, unit: 'day' as const });

/** What a new installation sells. */
export const seedOfferings: readonly SeedOffering[] = [
  {
    code: 'PLAN_S',
    name: 'Lite',
    description: '5 GB of data, 100 minutes and 100 messages a month.',
    kind: 'plan',
    price: 10,
    allowances: { data: gb(5), voice: minutes(100), sms: messages(100) },
  },
  {
    code: 'PLAN_M',
    name: 'Standard',
    description: '30 GB of data, unlimited calls and messages, and 500 MB of roaming data a month.',
    kind: 'plan',
    price: 25,
    allowances: { data: gb(30), voice: 'unlimited', sms: 'unlimited', roaming_data: mb(500) },
  },
  {
    code: 'PLAN_L',
    name: 'Max',
    description: '150 GB of data, unlimited calls and messages, and 2 GB of roaming data a month.',
    kind: 'plan',
    price: 45,
    allowances: { data: gb(150), voice: 'unlimited', sms: 'unlimited', roaming_data: gb(2) },
  },
  {
    code: 'VAS_DATA_1GB',
    name: 'Data 1 GB',
    description: '1 GB of data for 30 days.',
    kind: 'vas',
    price: 3,
    allowances: { data: gb(1) },
    validity: days(30),
  },
  {
    code: 'VAS_DATA_5GB',
    name: 'Data 5 GB',
    description: '5 GB of data for 30 days.',
    kind: 'vas',
    price: 12,
    allowances: { data: gb(5) },
    validity: days(30),
  },
  {
    code: 'VAS_DAY_PASS',
    name: 'Day pass',
    description: 'Unlimited data for 24 hours.',
    kind: 'vas',
    price: 5,
    allowances: { data: 'unlimited' },
    validity: { value: 24, unit: 'h' },
  },
  {
    code: 'VAS_VOICE_100',
    name: 'Voice 100',
    description: '100 minutes of calls for 30 days.',
    kind: 'vas',
    price: 3,
    allowances: { voice: minutes(100) },
    validity: days(30),
  },
  {
    code: 'VAS_SMS_100',
    name: 'SMS 100',
    description: '100 messages for 30 days.',
    kind: 'vas',
    price: 2,
    allowances: { sms: messages(100) },
    validity: days(30),
  },
  {
    code: 'VAS_ROAMING_1GB',
    name: 'Roaming 1 GB',
    description: '1 GB of data abroad for 30 days.',
    kind: 'vas',
    price: 8,
    allowances: { roaming_data: gb(1) },
    validity: days(30),
  },
  {
    code: 'VAS_PERIOD',
    name: 'New period',
    description: 'A new period of the plan now, at the price of the line, for a line that is unpaid.',
    kind: 'period',
    price: null,
    allowances: {},
  },
];

const specifications: Readonly<Record<OfferingKind, { name: string; description: string; productNumber: string }>> = {
  plan: { name: 'Mobile line', description: 'A prepaid mobile line on an eSIM.', productNumber: 'LINE' },
  vas: { name: 'Mobile add-on', description: 'Quota for a mobile line, bought once.', productNumber: 'ADDON' },
  period: {
    name: 'Mobile period',
    description: 'A period of a mobile line, begun by its customer.',
    productNumber: 'PERIOD',
  },
};

const allowanceNames: Readonly<Record<AllowanceKind, string>> = {
  data: 'Data at home',
  voice: 'National calls',
  sms: 'National messages',
  roaming_data: 'Data abroad',
};

const usageSpecifications: readonly { name: string; usageType: string; units: string[] }[] = [
  { name: 'Data usage', usageType: 'data', units: ['B', 'KB', 'MB', 'GB'] },
  { name: 'Voice usage', usageType: 'voice', units: ['s', 'min'] },
  { name: 'SMS usage', usageType: 'sms', units: ['SMS'] },
  { name: 'Roaming data usage', usageType: 'roaming_data', units: ['B', 'KB', 'MB', 'GB'] },
];

function characteristicUse(name: string, value: string | number, unitOfMeasure?: string): JsonObject {
  const valueType = typeof value === 'number' ? 'number' : 'string';
  return {
    name,
    valueType,
    minCardinality: 1,
    maxCardinality: 1,
    productSpecCharacteristicValue: [
      { isDefault: true, valueType, value, ...(unitOfMeasure === undefined ? {} : { unitOfMeasure }) },
    ],
  };
}

function characteristicUses(offering: SeedOffering): JsonObject[] {
  const allowances = Object.entries(offering.allowances).map(([kind, amount]) =>
    amount === 'unlimited' ? characteristicUse(kind, amount) : characteristicUse(kind, amount.value, amount.unit),
  );
  const { validity } = offering;
  return [
    characteristicUse('kind', offering.kind),
    ...allowances,
    ...(validity ? [characteristicUse('validity', validity.value, validity.unit)] : []),
  ];
}

function priceDocument(offering: SeedOffering, value: number, settings: Policy['settings']): JsonObject {
  return {
    name: `${offering.name} price`,
    description: offering.kind === 'plan' ? 'Charged each month in advance.' : 'Charged once.',
    lifecycleStatus: 'Active',
    priceType: offering.kind === 'plan' ? 'recurring' : 'oneTime',
    ...(offering.kind === 'plan' ? { recurringChargePeriodType: 'month', recurringChargePeriodLength: 1 } : {}),
    price: { unit: settings.currency, value },
    unitOfMeasure: { amount: 1, units: offering.kind === 'plan' ? 'month' : 'piece' },
    tax: [{ taxCategory: 'GST', taxRate: taxPercent(settings.taxRate) }],
  };
}

function specificationDocument(kind: OfferingKind): JsonObject {
  const kinds = Object.entries(allowanceNames);
  return {
    ...specifications[kind],
    lifecycleStatus: 'Active',
    brand: 'Airtime',
    productSpecCharacteristic:
      kind === 'period'
        ? []
        : kinds.map(([name, description]) => ({
            name,
            description,
            configurable: false,
            valueType: 'number',
            minCardinality: 0,
            maxCardinality: 1,
          })),
  };
}

function usageSpecificationDocument(usage: (typeof usageSpecifications)[number]): JsonObject {
  const characteristic = (
    name: string,
    description: string,
    valueType: string,
    minCardinality: number,
  ): JsonObject => ({
    name,
    description,
    valueType,
    minCardinality,
    maxCardinality: 1,
  });
  return {
    name: usage.name,
    description: `Usage of type ${usage.usageType}, as a network reports it.`,
    specCharacteristic: [
      characteristic('msisdn', 'The number that used it.', 'string', 1),
      characteristic('volume', 'How much was used.', 'number', 1),
      {
        ...characteristic('unit', 'The unit of the volume.', 'string', 0),
        characteristicValueSpecification: usage.units.map((value) => ({ valueType: 'string', value })),
      },
      characteristic('source', 'The system that recorded it.', 'string', 0),
      characteristic('recordId', 'The record in that system: the same one counts once.', 'string', 0),
    ],
  };
}

type SeedTable =
  | 'catalog'
  | 'category'
  | 'product_specification'
  | 'product_offering_price'
  | 'product_offering'
  | 'usage_specification';

/**
 * Creates what is missing of the seed catalogue, each entry by its command. Entries are known by their name, offerings
 * by their code, so a second run creates nothing and what an operator changed since stays changed.
 * @returns how many entries were created.
 */
export async function seedCatalogue(policy: Policy, caller: Caller): Promise<number> {
  let created = 0;
  const idOf = async (table: SeedTable, attribute: 'name' | 'code', value: string): Promise<string | undefined> => {
    const rows = await runStatement<{ id: string }>(
      policy.pool,
      `SELECT "id" FROM "${table}" WHERE "document" @> $1::jsonb ORDER BY "id" LIMIT 1`,
      [JSON.stringify({ [attribute]: value })],
    );
    return rows[0]?.id;
  };
  const ensure = async (table: SeedTable, commands: ResourceCommands, document: JsonObject & { name: string }) => {
    const code = typeof document.code === 'string' ? document.code : undefined;
    const existing = await idOf(table, code === undefined ? 'name' : 'code', code ?? document.name);
    if (existing !== undefined) return existing;
    const { create }: { create?: AnyCommand } = commands;
    if (!create) throw new Error(`${table} has no create command`);
    const stored: Stored = await execute(policy, create, { document }, caller);
    created += 1;
    return stored.id;
  };

  const categoryIds: Record<OfferingKind, { id: string; name: string }> = {
    plan: await category('Plans', 'Mobile lines by the month.'),
    vas: await category('Add-ons', 'More for a line you have.'),
    period: await category('Add-ons', 'More for a line you have.'),
  };
  async function category(name: string, description: string) {
    const document = { name, description, lifecycleStatus: 'Active', isRoot: true };
    return { id: await ensure('category', categoryCommands, document), name };
  }

  for (const offering of seedOfferings) {
    const specification = specifications[offering.kind];
    const specificationId = await ensure('product_specification', productSpecificationCommands, {
      ...specificationDocument(offering.kind),
      name: specification.name,
    });
    const priceName = `${offering.name} price`;
    const priceId =
      offering.price === null
        ? undefined
        : await ensure('product_offering_price', productOfferingPriceCommands, {
            ...priceDocument(offering, offering.price, policy.settings),
            name: priceName,
          });
    const inCategory = categoryIds[offering.kind];
    await ensure('product_offering', productOfferingCommands, {
      code: offering.code,
      name: offering.name,
      description: offering.description,
      lifecycleStatus: 'Active',
      isBundle: false,
      isSellable: true,
      category: [refs.category(inCategory.id, inCategory.name)],
      productSpecification: refs.specification(specificationId, specification.name),
      prodSpecCharValueUse: characteristicUses(offering),
      ...(priceId === undefined ? {} : { productOfferingPrice: [refs.price(priceId, priceName)] }),
    });
  }
  await ensure('catalog', catalogCommands, {
    name: 'Mobile catalogue',
    description: 'Everything that is sold.',
    catalogType: 'ProductCatalog',
    lifecycleStatus: 'Active',
    category: [categoryIds.plan, categoryIds.vas].map(({ id, name }) => refs.category(id, name)),
  });
  for (const usage of usageSpecifications) {
    await ensure('usage_specification', usageSpecificationCommands, {
      ...usageSpecificationDocument(usage),
      name: usage.name,
    });
  }
  return created;
}
