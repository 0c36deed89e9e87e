import type { JsonObject } from '../../kernel/json.ts';
import type { Case } from './case.ts';
import type { Line, World } from './world.ts';

// What may become of a line after its activation: its end, its number, its eSIM, its roaming switch.

const deletion = (line: Line, more: { customer?: string; product?: JsonObject } = {}): JsonObject => {
  const id = more.customer ?? line.customer;
  return {
    relatedParty: [{ id, href: `urn:customer:${id}`, role: 'customer', '@referredType': 'Customer' }],
    productOrderItem: [{ id: '1', action: 'delete', product: { id: line.id, ...more.product } }],
  };
};

const end = (name: string): JsonObject => ({ productCharacteristic: [{ name: 'end', value: name }] });

const terminated = async (world: World): Promise<Line> => {
  const line = await world.line();
  await world.change(`UPDATE "subscription" SET "state" = 'terminated' WHERE "id" = $1`, [line.id]);
  return line;
};

const freeNumber = `SELECT "msisdn" FROM "phone_number" WHERE "state" = 'available' LIMIT 1`;
const freeProfile = `SELECT "id" FROM "esim_profile" WHERE "state" = 'available' LIMIT 1`;

export const lifeCases: Readonly<Record<string, Case>> = {
  'order.end_names_line': async (world) => {
    const line = await world.line();
    return world.tmf('POST', 'TMF622 productOrder', deletion(line, { customer: world.shared.customer }));
  },
  'order.end_now_or_at_boundary': async (world) =>
    world.tmf('POST', 'TMF622 productOrder', deletion(await world.line(), { product: end('tomorrow') })),
  'subscription.end_needs_live_line': async (world) =>
    world.tool('subscription.end', { subscriptionId: (await terminated(world)).id }),
  'subscription.one_end_at_a_time': async (world) => {
    const line = await world.line();
    await world.made('TMF622 productOrder', deletion(line));
    return world.tool('subscription.end', { subscriptionId: line.id });
  },
  'subscription.withdraw_needs_waiting_end': async (world) =>
    world.tool('subscription.withdraw_end', { subscriptionId: (await world.line()).id }),
  'order.cancel_before_line_ended': async (world) => {
    const line = await world.line();
    const order = await world.made('TMF622 productOrder', deletion(line, { product: end('now') }));
    await world.change(`UPDATE "subscription" SET "state" = 'terminated' WHERE "id" = $1`, [line.id]);
    return world.tmf('POST', 'TMF622 cancelProductOrder', {
      productOrder: { id: order, href: `urn:order:${order}`, '@referredType': 'ProductOrder' },
    });
  },
  'number.ported_out_is_final': async (world) => {
    const [free] = await world.rows<{ msisdn: string }>(freeNumber);
    const msisdn = free?.msisdn ?? '';
    await world.change(`UPDATE "phone_number" SET "state" = 'ported out' WHERE "msisdn" = $1`, [msisdn]);
    return world.tool('number.port_out', { msisdn });
  },
  'number.port_out_needs_live_line': async (world) => {
    const [free] = await world.rows<{ msisdn: string }>(freeNumber);
    return world.tool('number.port_out', { msisdn: free?.msisdn ?? '' });
  },
  'subscription.roaming_needs_live_line': async (world) =>
    world.tool('subscription.set_roaming', { subscriptionId: (await terminated(world)).id, roaming: 'off' }),
  'usage.roaming_on': async (world) => {
    const { id, msisdn } = world.shared;
    const roaming = (state: string) => world.tool('subscription.set_roaming', { subscriptionId: id, roaming: state });
    await roaming('off');
    try {
      return await world.tmf('POST', 'TMF635 usage', {
        usageType: 'roamingData',
        usageCharacteristic: [
          { name: 'msisdn', value: msisdn },
          { name: 'volume', value: 1 },
          { name: 'unit', value: 'MB' },
        ],
      });
    } finally {
      await roaming('on');
    }
  },
  'subscription.replace_esim_needs_live_line': async (world) =>
    world.tool('subscription.replace_esim', { subscriptionId: (await terminated(world)).id }),
  'subscription.one_esim_replacement_at_a_time': async (world) => {
    const line = await world.line();
    await world.change(
      `UPDATE "esim_profile" SET "state" = 'reserved', "held_for" = $1 WHERE "id" = (${freeProfile})`,
      [line.id],
    );
    return world.tool('subscription.replace_esim', { subscriptionId: line.id });
  },
  'subscription.replace_esim_needs_stock': async (world) => {
    const line = await world.line();
    await world.change(
      `UPDATE "esim_profile" SET "state" = 'deleted', "held_for" = 'case' WHERE "state" = 'available'`,
    );
    try {
      return await world.tool('subscription.replace_esim', { subscriptionId: line.id });
    } finally {
      await world.change(
        `UPDATE "esim_profile" SET "state" = 'available', "held_for" = NULL WHERE "held_for" = 'case'`,
      );
    }
  },
};
