import { execFileSync } from 'node:child_process';
import { inspect } from 'node:util';
import Stripe from 'stripe';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cardGatewayContract } from '../card-gateway.contract.ts';
import type { GatewayOperation } from '../card-gateway.ts';
import { openStripeCardGateway, type StripeCardGateway, type StripeOptions } from './stripe-card-gateway.ts';
import { openStripeDouble, type StripeDouble, stripeDoubleKey } from './testing-stripe.ts';

const webhookSecret = 'whsec_airtime_test';

async function open(more: Partial<StripeOptions> = {}) {
  const double = await openStripeDouble();
  const make = () =>
    openStripeCardGateway({
      secretKey: stripeDoubleKey,
      webhookSecret,
      url: double.url,
      returnUrl: 'https://example.com/back',
      now: () => new Date(double.clock.second * 1000),
      retriesMax: 0,
      ...more,
    });
  return { double, make, gateway: make() };
}

cardGatewayContract('stripe, through its SDK over HTTP to a double', async () => {
  const { double, make, gateway } = await open();
  let keys = 0;
  return {
    gateway,
    restart: async () => make(),
    close: () => double.close(),
    cards: {
      succeeds: 'pm_card_visa',
      declined: 'pm_card_chargeDeclinedInsufficientFunds',
      unknown: 'pm_never_issued',
      requiresAction: 'pm_card_authenticationRequired',
      authorisationExpires: 'pm_card_authorisationExpires',
    },
    newKey: () => {
      keys += 1;
      return `order_item:itm_${keys}:authorise:1`;
    },
    completeAction: async (reference, decision) => double.completeAction(reference, decision),
    chargeback: async (reference, amountMinor) => double.dispute(reference, amountMinor),
    closeChargeback: async (key, ended) => double.closeDispute(key, ended),
  };
});

describe('stripe', () => {
  let double: StripeDouble;
  let gateway: StripeCardGateway;
  beforeEach(async () => {
    ({ double, gateway } = await open());
  });
  afterEach(() => double.close());

  const money = { amountMinor: 1000, currency: 'SGD' };
  const authorise = (key: string, token = 'pm_card_visa') =>
    gateway.authorise({ key, token, ...money, reference: 'pay_1' });
  const error = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => undefined,
      (reason: unknown) => reason,
    );
  async function taken(key = 'one'): Promise<string> {
    const { gatewayReference } = await authorise(key);
    await gateway.capture({ key: `${key}:capture`, gatewayReference, ...money });
    return gatewayReference;
  }
  async function booked(after?: string): Promise<GatewayOperation[]> {
    const all: GatewayOperation[] = [];
    for await (const one of gateway.book(after)) all.push(one);
    return all;
  }

  test.each([
    ['before', 0],
    ['after', 1],
  ] as const)(
    'an authorisation lost %s its effect leaves the outcome unknown, and is found or not',
    async (when, found) => {
      // The SDK itself tries a connection that closed once more.
      double.lose('/v1/payment_intents', when, 2);
      expect(await error(authorise('key'))).toMatchObject({ name: 'OutcomeUnknown', key: 'key' });
      expect(await gateway.find('key')).toEqual(
        found === 0 ? undefined : expect.objectContaining({ kind: 'authorise', key: 'key' }),
      );
      expect(await authorise('key')).toMatchObject({ outcome: 'authorised' });
      expect(await booked()).toHaveLength(1);
    },
  );

  test('a call that is not answered in time leaves the outcome unknown', async () => {
    const slow = await open({ url: 'http://127.0.0.1:9', timeoutMs: 200 });
    expect(
      await error(slow.gateway.authorise({ key: 'k', token: 'pm_card_visa', ...money, reference: 'r' })),
    ).toMatchObject({
      name: 'OutcomeUnknown',
    });
    await slow.double.close();
  });

  test.each([
    [500, { type: 'api_error', message: 'broken' }, 'OutcomeUnknown'],
    [429, { type: 'invalid_request_error', code: 'rate_limit', message: 'slow down' }, 'OutcomeUnknown'],
    [409, { type: 'idempotency_error', code: 'idempotency_key_in_use', message: 'busy' }, 'OutcomeUnknown'],
    [403, { type: 'invalid_request_error', message: 'not allowed' }, 'RequestRefused'],
    [400, { type: 'invalid_request_error', code: 'parameter_invalid', message: 'no such currency' }, 'RequestRefused'],
  ])('an answer %i is %s', async (status, answer, name) => {
    double.answer('/v1/payment_intents', status, answer);
    expect(await error(authorise('key'))).toMatchObject({ name });
  });

  test('an authorisation is found at once although search lags, and a capture by its payment', async () => {
    double.searchLagSeconds = 60;
    const gatewayReference = await taken('lagging');
    expect(await gateway.find('lagging')).toMatchObject({ kind: 'authorise', gatewayReference });
    double.clock.second += 7200;
    double.searchLagSeconds = 90_000;
    expect(await gateway.find('lagging:capture')).toBeUndefined();
    expect(await gateway.find('lagging:capture', gatewayReference)).toMatchObject({ kind: 'capture' });
  });

  test('what Stripe forgot the key of is not done again', async () => {
    const gatewayReference = await taken();
    const refund = { key: 'refund', gatewayReference, amountMinor: 400, currency: 'SGD' };
    const first = await gateway.refund(refund);
    double.forgetKeys();
    expect(await gateway.refund(refund)).toEqual(first);
    expect(await gateway.capture({ key: 'one:capture', gatewayReference, ...money })).toMatchObject({
      outcome: 'captured',
    });
    expect((await booked()).map(({ kind }) => kind)).toEqual(['authorise', 'capture', 'refund']);
  });

  test('a card is begun for a customer of its own, to be charged when nobody is there', async () => {
    expect(await gateway.beginCard?.()).toEqual({ clientSecret: 'seti_1_secret_cus_made_off_session' });
  });

  test('the first half of a 3-D Secure request off session is confirmed with the customer', async () => {
    const answer = await authorise('key', 'pm_card_authenticationRequired');
    expect(answer).toMatchObject({ outcome: 'requires_action', url: expect.stringContaining('https://') });
    expect(await authorise('key', 'pm_card_authenticationRequired')).toEqual(answer);
    expect(double.calls.filter((call) => call === 'POST /v1/payment_intents')).toHaveLength(2);
    expect(await gateway.void({ key: 'void', gatewayReference: answer.gatewayReference })).toMatchObject({
      outcome: 'voided',
    });
    expect((await gateway.find('key'))?.answer).toMatchObject({ outcome: 'declined' });
  });

  test('what happens in one second is read once, from any cursor', async () => {
    double.clock.stands = true;
    await taken('a');
    const seen = await booked();
    const b = await taken('b');
    await gateway.refund({ key: 'b:refund', gatewayReference: b, ...money });
    await gateway.capture({ key: 'late', gatewayReference: (await authorise('c')).gatewayReference, ...money });
    const rest = await booked(seen.at(-1)?.cursor);
    expect(rest.map(({ key }) => key)).toEqual(['b', 'b:capture', 'c', 'late', 'b:refund']);
    expect(await booked(rest.at(-1)?.cursor)).toEqual([]);
  });

  test('an old payment charged back or refunded by hand is in the book and in the payment', async () => {
    const gatewayReference = await taken();
    const before = (await booked()).at(-1)?.cursor;
    double.clock.second += 200 * 86_400;
    const byHand = double.refundByHand(gatewayReference, 100);
    const dispute = double.dispute(gatewayReference, 900);
    expect((await booked(before)).map(({ kind, key }) => [kind, key])).toEqual([
      ['refund', byHand],
      ['chargeback', dispute],
    ]);
    expect(await gateway.operations(gatewayReference)).toHaveLength(4);
    expect(await gateway.refund({ key: 'r', gatewayReference, amountMinor: 1, currency: 'SGD' })).toMatchObject({
      outcome: 'failed',
    });
  });

  test('an inquiry takes no money', async () => {
    const gatewayReference = await taken();
    double.dispute(gatewayReference, 1000, 'warning_needs_response');
    expect((await gateway.operations(gatewayReference)).map(({ kind }) => kind)).toEqual(['authorise', 'capture']);
  });

  test('what is not ours in the same account is left out', async () => {
    await taken();
    const stripe = new Stripe(stripeDoubleKey, { protocol: 'http', host: '127.0.0.1', port: new URL(double.url).port });
    await stripe.paymentIntents.create({ amount: 1, currency: 'sgd', confirm: true, payment_method: 'pm_card_visa' });
    expect(await booked()).toHaveLength(2);
  });

  test('a list longer than a page is read to its end', async () => {
    for (let n = 0; n < 105; n += 1) await authorise(`many-${n}`);
    expect(await booked()).toHaveLength(105);
  });

  test('an error never tells a secret', async () => {
    const wrong = await open({ secretKey: 'sk_test_wrong_and_secret' });
    const told = await error(wrong.gateway.authorise({ key: 'k', token: 'pm_card_visa', ...money, reference: 'r' }));
    expect(told).toMatchObject({ name: 'RequestRefused', code: 'unauthorised' });
    expect(inspect(told, { depth: 9 })).not.toContain('sk_test_wrong');
    double.lose('/v1/payment_methods/pm_card_visa', 'before', 2);
    const lost = await error(gateway.describeCard('pm_card_visa'));
    expect(inspect(lost, { depth: 9, showHidden: true })).not.toContain(stripeDoubleKey);
    await wrong.double.close();
  });

  describe('a notice', () => {
    const stripe = new Stripe(stripeDoubleKey);
    const body = (event: object) => JSON.stringify(event);
    const sign = (payload: string, secret = webhookSecret, ageSeconds = 0) => ({
      'stripe-signature': stripe.webhooks.generateTestHeaderString({
        payload,
        secret,
        timestamp: double.clock.second - ageSeconds,
      }),
    });
    const read = (payload: string, headers: Record<string, string>) => gateway.door.read(Buffer.from(payload), headers);

    test('names its payment, whatever it is about', async () => {
      const gatewayReference = await taken();
      double.dispute(gatewayReference);
      await error(authorise('declined', 'pm_card_chargeDeclinedInsufficientFunds'));
      const types = new Set(double.events.map((event) => event.type));
      expect(types).toContain('payment_intent.amount_capturable_updated');
      for (const event of double.events) {
        const payload = body(event);
        expect(await read(payload, sign(payload))).toEqual({
          id: event.id,
          type: event.type,
          gatewayReference: expect.stringMatching(/^pi_/),
        });
      }
      const other = body({ id: 'evt_1', object: 'event', type: 'payout.paid', data: { object: { id: 'po_1' } } });
      expect(await read(other, sign(other))).toEqual({ id: 'evt_1', type: 'payout.paid', gatewayReference: undefined });
    });

    test.each<[string, (payload: string) => [string, Record<string, string>]]>([
      ['without a signature', (payload) => [payload, {}]],
      ['signed with another secret', (payload) => [payload, sign(payload, 'whsec_other')]],
      ['changed after it was signed', (payload) => [payload.replace('evt_', 'evt-'), sign(payload)]],
      ['kept back for six minutes', (payload) => [payload, sign(payload, webhookSecret, 360)]],
      ['with a signature that is none', (payload) => [payload, { 'stripe-signature': 'v1=nonsense' }]],
    ])('%s is refused', async (_how, make) => {
      const payload = body({ id: 'evt_1', object: 'event', type: 'charge.refunded', data: { object: {} } });
      const [sent, headers] = make(payload);
      expect(await error(read(sent, headers))).toMatchObject({ name: 'RequestRefused', code: 'unauthorised' });
    });

    test('that is signed and no event is refused', async () => {
      expect(await error(read('not JSON', sign('not JSON')))).toMatchObject({ code: 'invalid_request' });
    });

    test('is refused where no secret was given', async () => {
      const without = await open({ webhookSecret: undefined });
      const payload = body({ id: 'evt_1', object: 'event', data: { object: {} } });
      expect(await error(without.gateway.door.read(Buffer.from(payload), sign(payload)))).toMatchObject({
        code: 'unauthorised',
      });
      await without.double.close();
    });
  });
});

test('the SDK is loaded by this adapter and nothing else that is shipped', () => {
  const list = execFileSync('git', ['grep', '--untracked', '-l', "from 'stripe'", '--', '*.ts'], { encoding: 'utf8' });
  expect(
    list
      .trim()
      .split('\n')
      .filter((file) => !file.includes('test')),
  ).toEqual(['adapters/stripe/stripe-card-gateway.ts']);
});
