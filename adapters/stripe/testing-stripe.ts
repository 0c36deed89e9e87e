import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';

/**
 * A small Stripe for tests: the calls that `stripe-card-gateway.ts` makes, over HTTP, with a memory. It keeps what the
 * adapter leans on: idempotency keys that refuse another request, off-session declines, manual capture, metadata,
 * search that lags, lists newest first in pages, and events.
 */
export interface StripeDouble {
  readonly url: string;
  /** Every call, `POST /v1/payment_intents`, in order. */
  readonly calls: string[];
  /** Every body and header that came, as text, to see that no secret is in one that should not have it. */
  readonly events: JsonObject[];
  /** Seconds since the epoch. Each call that changes something takes a second, unless the clock stands. */
  clock: { second: number; stands: boolean };
  /** PaymentIntents that search does not know yet: those made in the last so many seconds. */
  searchLagSeconds: number;
  /** The customer answers at the page of their bank. */
  completeAction(intent: string, decision: 'approve' | 'refuse'): void;
  /** The next call to this path is lost, before it has an effect or after. */
  lose(call: string, when: 'before' | 'after', times?: number): void;
  /** The next call to this path is answered this status and error. */
  answer(call: string, status: number, error: JsonObject): void;
  dispute(intent: string, amount?: number, status?: string): string;
  closeDispute(id: string, status: 'won' | 'lost' | 'warning_closed'): void;
  /** Somebody gives money back at Stripe's own pages. */
  refundByHand(intent: string, amount: number): string;
  /** Idempotency keys are forgotten after a day. */
  forgetKeys(): void;
  /** Stripe lets an authorisation go by itself. */
  expire(intent: string): void;
  /** One line for each charge that took money. */
  captured(): number;
  close(): Promise<void>;
}

/** What a token of Stripe's test mode does here. */
const cards: Readonly<Record<string, { last4: string; brand?: string; behaviour: string; year?: number }>> = {
  pm_card_visa: { last4: '4242', behaviour: 'succeeds' },
  pm_card_amex: { last4: '0005', brand: 'amex', behaviour: 'succeeds' },
  pm_card_chargeDeclinedInsufficientFunds: { last4: '9995', behaviour: 'declined' },
  pm_card_authenticationRequired: { last4: '3184', behaviour: 'requires_action' },
  pm_card_authorisationExpires: { last4: '1111', behaviour: 'authorisation_expires' },
};

const secretKey = 'sk_test_airtime';
const heldSeconds = 7 * 24 * 3600;

class Refused extends Error {
  readonly status: number;
  readonly error: JsonObject;
  constructor(status: number, error: JsonObject) {
    super(String(error.message));
    this.status = status;
    this.error = error;
  }
}

const invalidRequest = (code: string, message: string, more: JsonObject = {}): Refused =>
  new Refused(code === 'resource_missing' ? 404 : 400, { type: 'invalid_request_error', code, message, ...more });

/** Stripe takes forms: `metadata[airtime_key]=a&expand[0]=b`. */
function formOf(text: string): JsonObject {
  const form: JsonObject = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const [head = '', ...rest] = name.split(/[[\]]+/).filter((part) => part !== '');
    if (rest.length === 0) form[head] = value;
    else {
      const inner = isJsonObject(form[head]) ? form[head] : {};
      inner[rest.join('.')] = value;
      form[head] = inner;
    }
  }
  return form;
}

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const number = (value: Json | undefined): number => Number(value ?? 0);
const record = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {});

export async function openStripeDouble(): Promise<StripeDouble> {
  const intents = new Map<string, JsonObject>();
  const charges = new Map<string, JsonObject>();
  const refunds = new Map<string, JsonObject>();
  const disputes = new Map<string, JsonObject>();
  const keys = new Map<string, { request: string; status: number; body: string }>();
  const events: JsonObject[] = [];
  const calls: string[] = [];
  const faults: { call: string; when: 'before' | 'after' }[] = [];
  const answers: { call: string; status: number; error: JsonObject }[] = [];
  const clock = { second: Math.floor(Date.now() / 1000) - 3600, stands: false };
  let count = 0;
  let expired = false;
  const state = { searchLagSeconds: 0 };

  const newId = (prefix: string): string => {
    count += 1;
    return `${prefix}_double${String(count).padStart(6, '0')}`;
  };
  const tick = (): void => {
    if (!clock.stands) clock.second += 1;
  };
  const emit = (type: string, object: JsonObject): void => {
    events.push({
      id: newId('evt'),
      object: 'event',
      type,
      created: clock.second,
      livemode: false,
      api_version: '2026-10-28.endive',
      data: { object: structuredClone(object) },
    });
  };
  const get = (from: Map<string, JsonObject>, id: string, kind: string): JsonObject => {
    const found = from.get(id);
    if (!found) throw invalidRequest('resource_missing', `No such ${kind}: '${id}'`, { param: kind });
    return found;
  };

  function expanded(intent: JsonObject, expand: Json | undefined): JsonObject {
    const paths = Object.values(record(expand)).map(text);
    const wanted = paths.some((path) => path.includes('latest_charge'));
    const charge = charges.get(text(intent.latest_charge));
    if (!wanted || !charge) return intent;
    const deep = paths.some((path) => path.includes('balance_transaction'));
    const moved = charge.balance_transaction;
    return {
      ...intent,
      latest_charge: { ...charge, balance_transaction: deep ? (moved ?? null) : (record(moved).id ?? null) },
    };
  }

  function hold(intent: JsonObject): void {
    const id = newId('ch');
    charges.set(id, {
      id,
      object: 'charge',
      created: clock.second,
      amount: intent.amount ?? 0,
      amount_captured: 0,
      status: 'succeeded',
      captured: false,
      payment_intent: intent.id ?? '',
      metadata: record(intent.metadata),
      payment_method_details: { type: 'card', card: { capture_before: clock.second + heldSeconds } },
    });
    Object.assign(intent, {
      status: 'requires_capture',
      latest_charge: id,
      amount_capturable: intent.amount,
      next_action: null,
      last_payment_error: null,
    });
    emit('payment_intent.amount_capturable_updated', intent);
  }

  function decline(intent: JsonObject, error: JsonObject, hasCharge: boolean): void {
    if (hasCharge) {
      const id = newId('ch');
      charges.set(id, {
        id,
        object: 'charge',
        created: clock.second,
        status: 'failed',
        payment_intent: intent.id ?? '',
      });
      intent.latest_charge = id;
    }
    Object.assign(intent, { status: 'requires_payment_method', last_payment_error: error, next_action: null });
    emit('payment_intent.payment_failed', intent);
  }

  function confirm(intent: JsonObject, form: JsonObject): JsonObject {
    const token = text(form.payment_method) || text(intent.payment_method);
    const card = cards[token];
    if (!card)
      throw invalidRequest('resource_missing', `No such PaymentMethod: '${token}'`, { param: 'payment_method' });
    intent.payment_method = token;
    if (card.behaviour === 'declined') {
      decline(
        intent,
        {
          type: 'card_error',
          code: 'card_declined',
          decline_code: 'insufficient_funds',
          message: 'Your card has insufficient funds.',
        },
        true,
      );
      throw new Refused(402, { ...record(intent.last_payment_error), payment_intent: intent });
    }
    if (card.behaviour === 'requires_action') {
      if (form.off_session === 'true') {
        decline(
          intent,
          {
            type: 'card_error',
            code: 'authentication_required',
            decline_code: 'authentication_required',
            message: 'This transaction requires authentication.',
          },
          true,
        );
        throw new Refused(402, { ...record(intent.last_payment_error), payment_intent: intent });
      }
      const page = `https://hooks.stripe.com/3d_secure/${text(intent.id)}`;
      Object.assign(intent, {
        status: 'requires_action',
        last_payment_error: null,
        latest_charge: null,
        next_action: { type: 'redirect_to_url', redirect_to_url: { url: page, return_url: text(form.return_url) } },
      });
      emit('payment_intent.requires_action', intent);
      return intent;
    }
    hold(intent);
    return intent;
  }

  function createIntent(form: JsonObject): JsonObject {
    const id = newId('pi');
    const intent: JsonObject = {
      id,
      object: 'payment_intent',
      amount: number(form.amount),
      amount_capturable: 0,
      amount_received: 0,
      currency: text(form.currency),
      created: clock.second,
      metadata: record(form.metadata),
      capture_method: text(form.capture_method),
      latest_charge: null,
      last_payment_error: null,
      next_action: null,
      canceled_at: null,
      cancellation_reason: null,
      payment_method: null,
      status: 'requires_confirmation',
    };
    if (!cards[text(form.payment_method)]) {
      throw invalidRequest('resource_missing', 'No such PaymentMethod', { param: 'payment_method' });
    }
    intents.set(id, intent);
    return confirm(intent, form);
  }

  function cancel(intent: JsonObject, reason: string): JsonObject {
    if (intent.status === 'succeeded' || intent.status === 'canceled') throw unexpected(intent, 'cancel');
    Object.assign(intent, {
      status: 'canceled',
      canceled_at: clock.second,
      cancellation_reason: reason,
      amount_capturable: 0,
      next_action: null,
    });
    emit('payment_intent.canceled', intent);
    return intent;
  }

  const unexpected = (intent: JsonObject, verb: string): Refused =>
    invalidRequest(
      'payment_intent_unexpected_state',
      `You cannot ${verb} this PaymentIntent because it has a status of ${text(intent.status)}.`,
      { payment_intent: intent },
    );

  function capture(intent: JsonObject, form: JsonObject): JsonObject {
    if (cards[text(intent.payment_method)]?.behaviour === 'authorisation_expires' && !expired) {
      expired = true;
      cancel(intent, 'automatic');
    }
    if (intent.status !== 'requires_capture') throw unexpected(intent, 'capture');
    const amount = number(form.amount_to_capture);
    if (amount > number(intent.amount_capturable)) throw invalidRequest('amount_too_large', 'The amount is too large.');
    Object.assign(intent, {
      status: 'succeeded',
      amount_received: amount,
      amount_capturable: 0,
      metadata: { ...record(intent.metadata), ...record(form.metadata) },
    });
    const charge = get(charges, text(intent.latest_charge), 'charge');
    Object.assign(charge, {
      captured: true,
      amount_captured: amount,
      balance_transaction: { id: newId('txn'), object: 'balance_transaction', created: clock.second, amount },
    });
    emit('payment_intent.succeeded', intent);
    return intent;
  }

  const givenOf = (intent: string): number =>
    [...refunds.values()]
      .filter((one) => one.payment_intent === intent)
      .reduce((sum, one) => sum + number(one.amount), 0);

  function refund(form: JsonObject): JsonObject {
    const intent = get(intents, text(form.payment_intent), 'payment_intent');
    if (intent.status !== 'succeeded') throw invalidRequest('charge_not_captured', 'This charge was not captured.');
    const isDisputed = [...disputes.values()].some((one) => one.payment_intent === intent.id && one.status !== 'won');
    if (isDisputed) throw invalidRequest('charge_disputed', 'This charge has been charged back.');
    const amount = number(form.amount);
    if (amount + givenOf(text(intent.id)) > number(intent.amount_received)) {
      throw invalidRequest('charge_already_refunded', 'Refund amount is greater than unrefunded amount on charge.');
    }
    const id = newId('re');
    const made: JsonObject = {
      id,
      object: 'refund',
      amount,
      currency: text(intent.currency),
      created: clock.second,
      metadata: record(form.metadata),
      payment_intent: text(intent.id),
      charge: text(intent.latest_charge),
      status: 'succeeded',
    };
    refunds.set(id, made);
    emit('refund.created', made);
    emit('charge.refunded', get(charges, text(intent.latest_charge), 'charge'));
    return made;
  }

  /** Newest first, a page at a time. */
  function list(url: string, from: readonly JsonObject[], query: JsonObject): JsonObject {
    const since = number(record(query.created).gte);
    const newest = from.filter((one) => number(one.created) >= since).reverse();
    const start =
      query.starting_after === undefined ? 0 : newest.findIndex((one) => one.id === query.starting_after) + 1;
    const limit = number(query.limit) || 10;
    const data = newest.slice(start, start + limit);
    return { object: 'list', url, has_more: start + limit < newest.length, data };
  }

  function search(query: JsonObject): JsonObject {
    const wanted = [...text(query.query).matchAll(/metadata\['(\w+)'\]:'((?:[^'\\]|\\.)*)'/g)].map(
      ([, name = '', value = '']) => ({ name, value: value.replace(/\\(.)/g, '$1') }),
    );
    const data = [...intents.values()].filter(
      (one) =>
        number(one.created) + state.searchLagSeconds <= clock.second &&
        wanted.some(({ name, value }) => record(one.metadata)[name] === value),
    );
    return { object: 'search_result', url: '/v1/payment_intents/search', has_more: false, next_page: null, data };
  }

  const withIntent = (one: JsonObject): JsonObject => ({
    ...one,
    payment_intent: intents.get(text(one.payment_intent)) ?? null,
  });

  function handle(method: string, path: string, form: JsonObject): JsonObject {
    const [, , kind = '', id = '', verb = ''] = path.split('/');
    const named = (one: JsonObject) => form.payment_intent === undefined || one.payment_intent === form.payment_intent;
    const asWanted = (one: JsonObject) => (form.expand === undefined ? one : withIntent(one));
    if (method === 'POST') {
      tick();
      if (path === '/v1/payment_intents') return expanded(createIntent(form), form.expand);
      if (path === '/v1/refunds') return refund(form);
      if (path === '/v1/customers') return { id: 'cus_made', object: 'customer' };
      if (path === '/v1/setup_intents') {
        const { customer, usage } = form;
        return {
          id: 'seti_1',
          object: 'setup_intent',
          customer,
          usage,
          client_secret: `seti_1_secret_${text(customer)}_${text(usage)}`,
        };
      }
      const intent = get(intents, id, 'payment_intent');
      if (verb === 'confirm') return expanded(confirm(intent, form), form.expand);
      if (verb === 'capture') return capture(intent, form);
      if (verb === 'cancel') return cancel(intent, text(form.cancellation_reason));
      intent.metadata = { ...record(intent.metadata), ...record(form.metadata) };
      return intent;
    }
    if (path === '/v1/payment_intents/search') return search(form);
    if (kind === 'payment_intents') {
      return id === ''
        ? list(
            path,
            [...intents.values()].map((one) => expanded(one, form.expand)),
            form,
          )
        : expanded(get(intents, id, 'payment_intent'), form.expand);
    }
    if (kind === 'refunds') return list(path, [...refunds.values()].filter(named).map(asWanted), form);
    if (kind === 'disputes') {
      return id === ''
        ? list(path, [...disputes.values()].filter(named).map(asWanted), form)
        : get(disputes, id, 'dispute');
    }
    if (kind === 'events')
      return list(
        path,
        events.filter((one) => one.type === form.type),
        form,
      );
    if (kind === 'payment_methods') {
      const card = cards[id];
      if (!card)
        throw invalidRequest('resource_missing', `No such PaymentMethod: '${id}'`, { param: 'payment_method' });
      return {
        id,
        object: 'payment_method',
        type: 'card',
        customer: null,
        card: { brand: card.brand ?? 'visa', last4: card.last4, exp_month: 12, exp_year: card.year ?? 2049 },
      };
    }
    throw new Refused(404, {
      type: 'invalid_request_error',
      message: `Unrecognized request URL (${method}: ${path}).`,
    });
  }

  function answerTo(
    method: string,
    path: string,
    body: string,
    query: string,
    key: string | undefined,
  ): [number, string] {
    const request = `${method} ${path} ${body}`;
    const stored = key === undefined ? undefined : keys.get(key);
    if (stored) {
      if (stored.request === request) return [stored.status, stored.body];
      return [
        400,
        JSON.stringify({
          error: {
            type: 'idempotency_error',
            message:
              'Keys for idempotent requests can only be used with the same parameters they were first used with.',
          },
        }),
      ];
    }
    let answer: [number, string];
    try {
      answer = [200, JSON.stringify(handle(method, path, formOf(method === 'POST' ? body : query)))];
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      answer = [error.status, JSON.stringify({ error: error.error })];
    }
    if (key !== undefined) keys.set(key, { request, status: answer[0], body: answer[1] });
    return answer;
  }

  function takeFault(call: string): 'before' | 'after' | undefined {
    const index = faults.findIndex((one) => call.endsWith(one.call));
    return index < 0 ? undefined : faults.splice(index, 1)[0]?.when;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const method = request.method ?? 'GET';
    const call = `${method} ${path}`;
    calls.push(call);
    const key = request.headers['idempotency-key'];
    if (request.headers.authorization !== `Bearer ${secretKey}`) {
      const shown = String(request.headers.authorization).slice(7);
      return send(response, 401, {
        error: { type: 'invalid_request_error', message: `Invalid API Key provided: ${shown}` },
      });
    }
    const planned = answers.findIndex((one) => call.endsWith(one.call));
    if (planned >= 0) {
      const [one] = answers.splice(planned, 1);
      return send(response, one?.status ?? 500, { error: one?.error ?? {} });
    }
    const fault = takeFault(call);
    if (fault === 'before') return void response.destroy();
    const [status, body] = answerTo(
      method,
      path,
      Buffer.concat(chunks).toString(),
      query,
      typeof key === 'string' ? key : undefined,
    );
    if (fault === 'after') return void response.destroy();
    response.writeHead(status, { 'content-type': 'application/json', 'request-id': newId('req') });
    response.end(body);
  }

  function send(response: ServerResponse, status: number, body: JsonObject): void {
    response.writeHead(status, { 'content-type': 'application/json', 'stripe-should-retry': 'false' });
    response.end(JSON.stringify(body));
  }

  const server = createServer((request, response) => void serve(request, response));
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    events,
    clock,
    get searchLagSeconds() {
      return state.searchLagSeconds;
    },
    set searchLagSeconds(value) {
      state.searchLagSeconds = value;
    },
    completeAction(id, decision) {
      tick();
      const intent = get(intents, id, 'payment_intent');
      if (decision === 'approve') hold(intent);
      else {
        decline(
          intent,
          {
            type: 'invalid_request_error',
            code: 'payment_intent_authentication_failure',
            message: 'The provided PaymentMethod has failed authentication.',
          },
          false,
        );
      }
    },
    lose(call, when, times = 1) {
      for (let n = 0; n < times; n += 1) faults.push({ call, when });
    },
    answer: (call, status, error) => void answers.push({ call, status, error }),
    dispute(id, amount, status = 'needs_response') {
      tick();
      const intent = get(intents, id, 'payment_intent');
      const made: JsonObject = {
        id: newId('dp'),
        object: 'dispute',
        amount: amount ?? number(intent.amount_received),
        currency: text(intent.currency),
        created: clock.second,
        payment_intent: id,
        charge: text(intent.latest_charge),
        reason: 'fraudulent',
        status,
      };
      disputes.set(text(made.id), made);
      emit('charge.dispute.created', made);
      return text(made.id);
    },
    closeDispute(id, status) {
      tick();
      const dispute = get(disputes, id, 'dispute');
      dispute.status = status;
      emit('charge.dispute.closed', dispute);
    },
    refundByHand: (intent, amount) => {
      tick();
      return text(refund({ payment_intent: intent, amount }).id);
    },
    forgetKeys: () => keys.clear(),
    expire(id) {
      tick();
      cancel(get(intents, id, 'payment_intent'), 'automatic');
    },
    captured: () => [...intents.values()].filter((one) => one.status === 'succeeded').length,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** The key that the double takes. */
export const stripeDoubleKey = secretKey;
