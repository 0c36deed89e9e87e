import type { Case } from './case.ts';

/** A customer's session, whose customer has nothing. */
const asCustomer = { authorization: 'Bearer air_customer' };
const tool = 'subscription.set_alert';

export const alertCases: Readonly<Record<string, Case>> = {
  'ownership.is_callers': (world) =>
    world.tool(tool, { subscriptionId: world.shared.id, kind: 'data', left: '20 %' }, asCustomer),
  'subscription.alert_needs_live_line': async (world) => {
    const line = await world.line();
    await world.change(`UPDATE "subscription" SET "state" = 'terminated' WHERE "id" = $1`, [line.id]);
    return world.tool(tool, { subscriptionId: line.id, kind: 'data', left: '1 GB' });
  },
  'subscription.alert_fits_kind': (world) =>
    world.tool(tool, { subscriptionId: world.shared.id, kind: 'voice', left: '5 GB' }),
};
