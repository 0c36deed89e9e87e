import type { JsonObject } from '../../kernel/json.ts';
import type { Case } from './case.ts';

const backwards: JsonObject = {
  name: 'Backwards',
  validFor: { startDateTime: '2026-02-01T00:00:00Z', endDateTime: '2026-01-01T00:00:00Z' },
};

/** From its first state straight to its last. */
const leaps =
  (target: string, body: JsonObject = { name: 'Leaps' }): Case =>
  async (world) => {
    const id = await world.made(target, body);
    return world.tmf('PATCH', `${target}/${id}`, { lifecycleStatus: 'Obsolete' });
  };

export const catalogueCases: Readonly<Record<string, Case>> = {
  'catalog.legal_transition': leaps('TMF620 catalog'),
  'category.legal_transition': leaps('TMF620 category'),
  'product_offering.legal_transition': leaps('TMF620 productOffering'),
  'product_offering_price.legal_transition': leaps('TMF620 productOfferingPrice'),
  'product_specification.legal_transition': leaps('TMF620 productSpecification'),
  'usage_specification.legal_transition': leaps('TMF635 usageSpecification'),
  'catalogue.window_in_order': (world) => world.tmf('POST', 'TMF620 category', backwards),
  'usage_specification.window_in_order': (world) => world.tmf('POST', 'TMF635 usageSpecification', backwards),
  'catalogue.price_not_negative': (world) =>
    world.tmf('POST', 'TMF620 productOfferingPrice', { name: 'Below zero', price: { unit: 'SGD', value: -1 } }),
  'product_offering.code_unique': (world) =>
    world.tmf('POST', 'TMF620 productOffering', { name: 'Another Lite', code: 'PLAN_S' }),
  'product_offering.on_sale_needs_terms': (world) =>
    world.tmf('POST', 'TMF620 productOffering', {
      name: 'For nothing',
      code: `FREE_${Date.now()}`,
      lifecycleStatus: 'Active',
      prodSpecCharValueUse: [
        { name: 'kind', valueType: 'string', productSpecCharacteristicValue: [{ valueType: 'string', value: 'plan' }] },
      ],
    }),
  'product_offering.delete_needs_no_use': async (world) =>
    world.tmf('DELETE', `TMF620 productOffering/${await world.offering('PLAN_M')}`),
  'product_offering_price.delete_needs_no_use': async (world) => {
    const price = await world.made('TMF620 productOfferingPrice', { name: 'Used', price: { unit: 'SGD', value: 1 } });
    await world.made('TMF620 productOffering', {
      name: 'Uses it',
      productOfferingPrice: [{ id: price, href: `urn:price:${price}`, '@referredType': 'ProductOfferingPrice' }],
    });
    return world.tmf('DELETE', `TMF620 productOfferingPrice/${price}`);
  },
  'catalogue_job.delete_needs_rest': async (world) => {
    const job = await world.made('TMF620 exportJob', {
      url: 'https://bss.example.com/tmf-api/productCatalogManagement/v4/category',
    });
    await world.change(
      `UPDATE "export_job" SET "state" = 'Running', "document" = jsonb_set("document", '{status}', '"Running"') WHERE "id" = $1`,
      [job],
    );
    return world.tmf('DELETE', `TMF620 exportJob/${job}`);
  },
};
