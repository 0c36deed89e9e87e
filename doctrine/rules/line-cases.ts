import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import type { Case } from './case.ts';
import type { Line, World } from './world.ts';

const usage = (msisdn: string, type: string, volume: number, unit: string, usageDate?: string): JsonObject => ({
  usageType: type,
  ...(usageDate === undefined ? {} : { usageDate }),
  usageCharacteristic: [
    { name: 'msisdn', value: msisdn },
    { name: 'volume', value: volume },
    { name: 'unit', value: unit },
  ],
});
const use = (world: World, ...given: Parameters<typeof usage>) => world.tmf('POST', 'TMF635 usage', usage(...given));

async function topUp(world: World, line: Line, more: JsonObject) {
  const [bucket] = await world.rows<{ id: string }>(
    `SELECT "id" FROM "bucket" WHERE "subscription_id" = $1 AND "kind" = 'data' LIMIT 1`,
    [line.id],
  );
  const id = bucket?.id ?? '';
  return world.tmf('POST', 'TMF654 topupBalance', {
    amount: { amount: 1, units: 'GB' },
    usageType: 'data',
    bucket: { id, href: `urn:bucket:${id}`, '@referredType': 'Bucket' },
    partyAccount: account(line.account),
    ...more,
  });
}
const account = (id: string): JsonObject => ({
  id,
  href: `urn:account:${id}`,
  name: 'Account',
  '@referredType': 'BillingAccount',
});

const serviceOrderBody = (state?: string): JsonObject => ({
  serviceOrderItem: [
    {
      id: '1',
      action: 'add',
      ...(state === undefined ? {} : { state }),
      service: { id: 'service-1', '@type': 'Service' },
    },
  ],
});

const consumption = (world: World, searchCriteria: Json) =>
  world.tmf('POST', 'TMF677 queryUsageConsumption', { searchCriteria });

export const lineCases: Readonly<Record<string, Case>> = {
  'usage.kind_known': (world) => use(world, world.shared.msisdn, 'pigeon', 1, 'MB'),
  'usage.not_barred': (world) => use(world, world.shared.msisdn, 'premium', 1, 'min'),
  'usage.quantity_positive': (world) => use(world, world.shared.msisdn, 'data', 0, 'MB'),
  'usage.number_known': (world) => use(world, '6500000000', 'data', 1, 'MB'),
  'usage.readable': (world) => use(world, world.shared.msisdn, 'data', 1, 'MB', '0000-01-01T00:00:00Z'),
  'usage.not_in_future': (world) => use(world, world.shared.msisdn, 'data', 1, 'MB', '2999-01-01T00:00:00Z'),
  'usage.within_retention': (world) => use(world, world.shared.msisdn, 'data', 1, 'MB', '2020-01-01T00:00:00Z'),
  'usage.counted_before': async (world) => {
    const { id, msisdn } = await world.line();
    for (const text of [
      `UPDATE "subscription" SET "state_since" = "state_since" - interval '300 days' WHERE "id" = $1`,
      `UPDATE "number_assignment" SET "assigned_at" = "assigned_at" - interval '300 days' WHERE "subscription_id" = $1`,
      `UPDATE "bucket" SET "valid_from" = "valid_from" - interval '300 days' WHERE "subscription_id" = $1`,
    ]) {
      await world.change(text, [id]);
    }
    const [old] = await world.rows<{ at: string }>(`SELECT wire_time(business_now() - interval '200 days') AS at`);
    // The same record twice, its id forgotten in between, and the operator charges what is old all the same.
    const chargeOld = async () => {
      const input = { msisdn, kind: 'data', amount: 1, usageDate: old?.at ?? '', source: 'switch', recordId: id };
      const { body } = await world.tool('usage.record', input);
      const usageId = isJsonObject(body.result) ? (body.result.id ?? null) : null;
      return world.tool('usage.replay', { usageId, evenOld: true });
    };
    await chargeOld();
    await world.change('DELETE FROM "usage_key" WHERE "record_id" = $1', [id]);
    return chargeOld();
  },
  'usage.line_active': async (world) => {
    const line = await world.line();
    await world.change(`UPDATE "subscription" SET "state" = 'blocked', "block_reasons" = '{unpaid}' WHERE "id" = $1`, [
      line.id,
    ]);
    return use(world, line.msisdn, 'data', 1, 'MB');
  },
  'usage.allowance_left': async (world) => {
    const line = await world.line();
    await world.made('TMF635 usage', usage(line.msisdn, 'sms', 100, 'SMS'));
    return use(world, line.msisdn, 'sms', 1, 'SMS');
  },
  'usage.judged_once': async (world) => {
    const id = await world.made('TMF635 usage', usage('6500000000', 'data', 1, 'MB'));
    return world.tmf('PATCH', `TMF635 usage/${id}`, { usageType: 'voice' });
  },
  'usage.kept_for_good': async (world) => {
    const id = await world.made('TMF635 usage', usage('6500000000', 'data', 1, 'MB'));
    return world.tmf('DELETE', `TMF635 usage/${id}`);
  },
  'top_up.bucket_known': (world) =>
    topUp(world, world.shared, { bucket: { id: 'bkt_none', href: 'urn:bucket:none', '@referredType': 'Bucket' } }),
  'top_up.product_is_line_of_bucket': async (world) =>
    topUp(world, await world.line(), {
      product: [{ id: world.shared.id, href: `urn:product:${world.shared.id}`, '@referredType': 'Product' }],
    }),
  'top_up.account_is_of_line': async (world) =>
    topUp(world, await world.line(), { partyAccount: account(world.shared.account) }),
  'top_up.once_and_by_card': async (world) => topUp(world, await world.line(), { voucher: '1234' }),
  'top_up.amount_is_on_sale': async (world) => topUp(world, await world.line(), { amount: { amount: 2, units: 'GB' } }),
  'usage_consumption.names_whose': (world) => consumption(world, { description: 'everything' }),
  'usage_consumption.lines_at_most': async (world) => {
    const { id, customer } = await world.line();
    await world.change(
      `INSERT INTO "subscription" SELECT (jsonb_populate_record(s, jsonb_build_object('id', s."id" || n, 'msisdn', NULL, 'service_id', NULL, 'esim_id', NULL))).*
        FROM "subscription" s, generate_series(1, 101) n WHERE s."id" = $1`,
      [id],
    );
    return consumption(world, {
      relatedParty: [{ id: customer, href: `urn:customer:${customer}`, '@referredType': 'Customer' }],
    });
  },
  'product.kept_for_good': async (world) => world.tmf('DELETE', `TMF637 product/${(await world.line()).id}`),
  'product.line_facts_are_fixed': async (world) =>
    world.tmf('PATCH', `TMF637 product/${(await world.line()).id}`, { productPrice: [] }),
  'service.belongs_to_line': async (world) =>
    world.tmf('PATCH', `TMF638 service/${(await world.line()).service}`, { serviceType: 'mine' }),
  'service.legal_transition': async (world) => {
    const id = await world.made('TMF638 service', {
      state: 'reserved',
      serviceSpecification: { id: 'spec-1', '@referredType': 'ServiceSpecification' },
    });
    return world.tmf('PATCH', `TMF638 service/${id}`, { state: 'designed' });
  },
  'service_order.belongs_to_product_order': async (world) => {
    const { order } = await world.line();
    const [found] = await world.rows<{ id: string }>('SELECT "id" FROM "service_order" WHERE "product_order_id" = $1', [
      order,
    ]);
    return world.tmf('PATCH', `TMF641 serviceOrder/${found?.id}`, { description: 'mine' });
  },
  'service_order.legal_transition': async (world) => {
    const id = await world.made('TMF641 serviceOrder', serviceOrderBody());
    return world.tmf('PATCH', `TMF641 serviceOrder/${id}`, { state: 'completed' });
  },
  'service_order.item_legal_transition': async (world) => {
    const id = await world.made('TMF641 serviceOrder', serviceOrderBody());
    return world.tmf('PATCH', `TMF641 serviceOrder/${id}`, serviceOrderBody('completed'));
  },
};
