import { createClient } from './client.ts';

/**
 * Signs a customer up, puts a card on file and sells a line, waiting until the order has come to its end.
 * @returns the state in which the order ended.
 */
export async function sellLine(url: string, token: string): Promise<string | undefined> {
  const { TMF620, TMF622, TMF629, TMF670 } = createClient({ url, token });

  const customer = await TMF629.createCustomer({
    body: {
      name: 'Ana Lim',
      engagedParty: { id: 'ana-lim', name: 'Ana Lim', '@referredType': 'Individual' },
      contactMedium: [{ mediumType: 'phone', characteristic: { phoneNumber: '+65 6123 4567' } }],
    },
  });
  if (customer.error) throw new Error(`${customer.error.reason}: ${customer.error.message}`);
  const owner = { id: customer.data.id ?? '', role: 'customer', '@referredType': 'Customer' };

  // The contract does not name `token`: what goes beyond it is given as an object of its own.
  const visa = { '@type': 'tokenizedCard', name: 'Visa', token: 'tok_visa', relatedParty: owner };
  const card = await TMF670.createPaymentMethod({ body: visa });
  if (card.error) throw new Error(`${card.error.reason}: ${card.error.message}`);

  // A list is filtered by any attribute.
  const plans = await TMF620.listProductOffering({ params: { query: { code: 'PLAN_S', fields: 'name' } } });
  const plan = plans.data?.[0];
  if (!plan) throw new Error('the catalogue has no such plan');

  const order = await TMF622.createProductOrder({
    // With a key of its own, a repeat after a lost answer orders nothing twice.
    params: { header: { 'Idempotency-Key': crypto.randomUUID() } },
    body: {
      relatedParty: [owner],
      productOrderItem: [{ id: '1', action: 'add', quantity: 1, productOffering: { id: plan.id ?? '' } }],
    },
  });
  const id = order.data?.id;
  if (id === undefined) throw new Error(order.error?.message ?? 'no order');

  for (;;) {
    const { data } = await TMF622.retrieveProductOrder({ params: { path: { id } } });
    if (data?.state !== 'acknowledged' && data?.state !== 'inProgress') return data?.state;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
