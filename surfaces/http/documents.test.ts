import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, openHouse } from '../../doctrine/house.ts';
import { missingCommands } from '../../handlers/generic.ts';
import { createHandlers } from '../../handlers/index.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { activationCommandsFor, resourceCommandsFor } from '../../policy/resources.ts';
import { billPage, documentPages } from './documents.ts';
import { type TestDoor, testDoor, testTokens } from './testing.ts';

const publicUrl = 'https://bss.example.com/air';
let house: House;
let door: TestDoor;

// Every answer of this door is judged by its contract: one that breaks it is answered 500.
beforeAll(async () => {
  house = await openHouse();
  const authenticate = async (token: string) => (Object.hasOwn(testTokens, token) ? testTokens[token] : undefined);
  door = await testDoor({
    wire: { policy: house.policy, pool: house.pool, publicUrl, wake: () => undefined },
    handlers: createHandlers(resourceCommandsFor, activationCommandsFor),
    authenticate,
  });
  door.server.mount('/documents', documentPages({ pool: house.pool, authenticate }));
});
afterAll(async () => {
  await door.server.close(1000);
  await house.close();
});

const bases = {
  ordering: '/tmf-api/productOrderingManagement/v4',
  inventory: '/tmf-api/productInventory/v4',
  payment: '/tmf-api/paymentManagement/v4',
  bills: '/tmf-api/customerBillManagement/v4',
};

async function call(
  method: string,
  path: string,
  body?: Json,
  token = 'air_operator',
): Promise<{ status: number; headers: Headers; text: string; json: JsonObject }> {
  const response = await fetch(door.url + path, {
    method,
    headers: {
      Authorization: `Bearer ${token}`,
      ...(body === undefined
        ? {}
        : { 'Content-Type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const parsed: unknown =
    response.headers.get('content-type')?.startsWith('application/json') && text !== '' ? JSON.parse(text) : {};
  return { status: response.status, headers: response.headers, text, json: isJsonObject(parsed) ? parsed : {} };
}

async function paidLine(
  name = 'Ada Lim',
): Promise<{ customer: string; order: string; line: string; payment: string; bill: string }> {
  const customer = await house.customer();
  await call('PATCH', `/tmf-api/customerManagement/v4/customer/${customer}`, { name });
  const order = await house.order(customer);
  await house.settle();
  const [row] = await runStatement<{ line: string; payment: string; bill: string }>(
    house.pool,
    `SELECT i."subscription_id" AS line, i."payment_id" AS payment, b."id" AS bill FROM "order_item" i JOIN "customer_bill" b ON b."payment_id" = i."payment_id" WHERE i."product_order_id" = $1`,
    [order],
  );
  if (!row) throw new Error('nothing was paid');
  return { customer, order, ...row };
}

const refundBody = (payment: string, value: number): JsonObject => ({
  account: { id: 'acc_1', name: 'Billing account' },
  paymentMethod: { '@type': 'tokenizedCard', name: 'card' },
  totalAmount: { unit: 'SGD', value },
  payment: { id: payment },
  description: 'a <b>slow</b> day & night',
});

it('no operation of the contracts is without its command', () => {
  expect(missingCommands(resourceCommandsFor)).toEqual([]);
});

describe('what was missing answers at the TMF door', () => {
  it('POST cancelProductOrder: 201 with its task, in time and too late', async () => {
    const early = await house.order(await house.customer());
    const done = await call('POST', `${bases.ordering}/cancelProductOrder`, {
      productOrder: { id: early },
      cancellationReason: 'mistake',
    });
    expect([done.status, done.json.state]).toEqual([201, 'done']);
    expect(done.headers.get('location')).toBe(done.json.href);
    expect((await call('GET', `${bases.ordering}/productOrder/${early}`)).json).toMatchObject({
      state: 'cancelled',
      cancellationReason: 'mistake',
    });
    const { order } = await paidLine();
    const late = await call('POST', `${bases.ordering}/cancelProductOrder`, { productOrder: { id: order } });
    expect([late.status, late.json.state]).toEqual([201, 'terminatedWithError']);
    expect(late.json.statusReason).toMatch(/^order\.cancel_before_activation: /);
    expect((await call('GET', `${bases.ordering}/cancelProductOrder/${String(late.json.id)}`)).json).toEqual(late.json);
    expect(
      (await call('GET', `${bases.ordering}/cancelProductOrder?state=done&productOrder.id=${early}`)).headers.get(
        'x-total-count',
      ),
    ).toBe('1');
  });

  it('POST product: 201 with the line, which is served; 422 where a buying rule is broken', async () => {
    const [offering] = await runStatement<{ id: string }>(
      house.pool,
      `SELECT "id" FROM "product_offering" WHERE "code" = 'PLAN_S'`,
      [],
    );
    const body = {
      status: 'created',
      productOffering: { id: offering?.id ?? '' },
      relatedParty: [{ id: await house.customer(), role: 'customer', '@referredType': 'Customer' }],
    };
    const made = await call('POST', `${bases.inventory}/product`, body);
    expect([made.status, made.json.status]).toEqual([201, 'pendingActive']);
    await house.settle();
    const served = await call('GET', `${bases.inventory}/product/${String(made.json.id)}`);
    expect(served.json).toMatchObject({ status: 'active', href: made.headers.get('location') });
    const refused = await call('POST', `${bases.inventory}/product`, { ...body, relatedParty: [] });
    expect([refused.status, refused.json.reason]).toEqual([422, 'order.customer_known']);
  });

  it('PATCH and DELETE product: described 200; changed and deleted 409', async () => {
    const { line } = await paidLine();
    const path = `${bases.inventory}/product/${line}`;
    const described = await call('PATCH', path, { description: 'mine' });
    expect([described.status, described.json.description]).toEqual([200, 'mine']);
    const changed = await call('PATCH', path, { status: 'suspended' });
    expect([changed.status, changed.json.reason]).toEqual([409, 'product.line_facts_are_fixed']);
    const gone = await call('DELETE', path);
    expect([gone.status, gone.json.reason]).toEqual([409, 'product.kept_for_good']);
  });

  it('POST refund: 201 pending, then done; denied where a rule is broken', async () => {
    const { payment, bill } = await paidLine();
    const made = await call('POST', `${bases.payment}/refund`, refundBody(payment, 4));
    expect([made.status, made.json.status]).toEqual([201, 'pendingAuthorization']);
    await house.settle();
    expect((await call('GET', `${bases.payment}/refund/${String(made.json.id)}`)).json).toMatchObject({
      status: 'done',
      payment: { id: payment },
    });
    expect((await call('GET', `${bases.payment}/payment/${payment}`)).json).toMatchObject({
      status: 'captured',
      refundedAmount: { unit: 'SGD', value: 4 },
    });
    const denied = await call('POST', `${bases.payment}/refund`, refundBody(payment, 7));
    expect([denied.status, denied.json.status]).toEqual([201, 'denied']);
    expect(denied.json.statusReason).toMatch(/^refund\.within_captured: /);
    expect((await call('GET', `${bases.bills}/customerBill/${bill}`)).status).toBe(200);
  });

  it('PATCH customerBill: on hold and back, 409 elsewhere', async () => {
    const { bill } = await paidLine();
    const path = `${bases.bills}/customerBill/${bill}`;
    expect((await call('PATCH', path, { state: 'onHold' })).json.state).toBe('onHold');
    const moved = await call('PATCH', path, { state: 'sent' });
    expect([moved.status, moved.json.reason]).toEqual([409, 'customer_bill.legal_transition']);
    expect((await call('PATCH', path, { state: 'settled' })).json.state).toBe('settled');
  });

  it('POST customerBillOnDemand: 201, then done with a statement; rejected for nobody', async () => {
    const { customer } = await paidLine();
    const made = await call('POST', `${bases.bills}/customerBillOnDemand`, {
      name: 'this month',
      relatedParty: { id: customer, role: 'customer', '@referredType': 'Customer' },
    });
    expect([made.status, made.json.state]).toEqual([201, 'inProgress']);
    await house.settle();
    const { json } = await call('GET', `${bases.bills}/customerBillOnDemand/${String(made.json.id)}`);
    expect(json.state).toBe('done');
    const bill = isJsonObject(json.customerBill) ? String(json.customerBill.id) : '';
    expect((await call('GET', `${bases.bills}/customerBill/${bill}`)).json).toMatchObject({
      category: 'statement',
      amountDue: { value: 0 },
    });
    const rejected = await call('POST', `${bases.bills}/customerBillOnDemand`, { name: 'for nobody' });
    expect([rejected.status, rejected.json.state]).toEqual([201, 'rejected']);
    expect(await house.breaches()).toEqual([]);
  });
});

describe('the printed bill', () => {
  it('is where billDocument says it is', async () => {
    const { bill } = await paidLine();
    const { json } = await call('GET', `${bases.bills}/customerBill/${bill}`);
    const [document] = Array.isArray(json.billDocument) ? json.billDocument : [];
    expect(isJsonObject(document) ? document.url : undefined).toBe(`${publicUrl}/documents/bill/${bill}`);
    const page = await call('GET', `/documents/bill/${bill}`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    for (const seen of [
      `Receipt ${String(json.billNo)}`,
      'Lite',
      'Ada Lim',
      'SGD 10.00',
      'SGD 0.83',
      'SGD 9.17',
      'GST 9 %',
      'visa ending in 4242',
      'Nothing is due',
    ]) {
      expect(page.text).toContain(seen);
    }
  });

  it('of a refund names its receipt, and of a period lists both', async () => {
    const { payment, customer, bill } = await paidLine();
    await call('POST', `${bases.payment}/refund`, refundBody(payment, 4));
    await house.settle();
    await call('POST', `${bases.bills}/customerBillOnDemand`, {
      relatedParty: { id: customer, role: 'customer', '@referredType': 'Customer' },
    });
    await house.settle();
    const [receipt, credit, statement] = await runStatement<{ id: string; billNo: string }>(
      house.pool,
      'SELECT "id", "bill_no" FROM "customer_bill" WHERE "customer_id" = $1 ORDER BY "id"',
      [customer],
    );
    expect(receipt?.id).toBe(bill);
    const note = (await call('GET', `/documents/bill/${credit?.id ?? ''}`)).text;
    for (const seen of [
      `Credit note ${credit?.billNo}`,
      'For receipt',
      String(receipt?.billNo),
      'SGD -4.00',
      'Given back',
    ])
      expect(note).toContain(seen);
    const list = (await call('GET', `/documents/bill/${statement?.id ?? ''}`)).text;
    for (const seen of [
      `Statement ${statement?.billNo}`,
      String(receipt?.billNo),
      String(credit?.billNo),
      'SGD 6.00',
      'In all',
    ])
      expect(list).toContain(seen);
  });

  it('shows what people wrote as text', async () => {
    const name = `<img src=x onerror="alert(1)">'&`;
    const { payment, customer } = await paidLine(name);
    await call('POST', `${bases.payment}/refund`, refundBody(payment, 1));
    await house.settle();
    const [, credit] = await runStatement<{ id: string }>(
      house.pool,
      'SELECT "id" FROM "customer_bill" WHERE "customer_id" = $1 ORDER BY "id"',
      [customer],
    );
    const { text } = await call('GET', `/documents/bill/${credit?.id ?? ''}`);
    expect(text).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;');
    expect(text).toContain('a &lt;b&gt;slow&lt;/b&gt; day &amp; night');
    expect(text).not.toContain('<img');
  });

  it('runs and fetches nothing: no script, no link, and a policy that allows its own style only', async () => {
    const { bill } = await paidLine();
    const { text, headers } = await call('GET', `/documents/bill/${bill}`);
    expect(text).not.toMatch(/<(script|link|iframe|object|img|form|base)\b|\son\w+=|javascript:|@import|url\(/i);
    const style = /<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? '';
    expect(style).toContain('@media print');
    const hash = createHash('sha256').update(style).digest('base64');
    expect(headers.get('content-security-policy')).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('is for operators and integrators who may read bills', async () => {
    const { bill } = await paidLine();
    const path = `/documents/bill/${bill}`;
    expect((await fetch(door.url + path)).status).toBe(401);
    expect((await call('GET', path, undefined, 'air_unknown')).status).toBe(401);
    expect((await call('GET', path, undefined, 'air_catalogue')).status).toBe(403);
    expect((await call('GET', path, undefined, 'air_customer')).status).toBe(403);
    // Whether there is such a bill is not told to those who may not read it.
    expect((await call('GET', '/documents/bill/bil_none', undefined, 'air_customer')).status).toBe(403);
  });

  it('answers as the other doors do: 404, 405, 406, HEAD', async () => {
    const { bill } = await paidLine();
    for (const path of [
      '/documents/bill/bil_none',
      '/documents/bill/',
      '/documents',
      '/documents/bill/a/b',
      '/documents/bill/%27%20OR%201=1',
    ]) {
      const missing = await call('GET', path);
      expect([path, missing.status]).toEqual([path, 404]);
    }
    const posted = await call('POST', `/documents/bill/${bill}`, {});
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS']);
    const json = await fetch(`${door.url}/documents/bill/${bill}`, {
      headers: { Authorization: 'Bearer air_operator', Accept: 'application/json' },
    });
    expect(json.status).toBe(406);
    const head = await fetch(`${door.url}/documents/bill/${bill}`, {
      method: 'HEAD',
      headers: { Authorization: 'Bearer air_operator' },
    });
    expect([head.status, (await head.text()).length, Number(head.headers.get('content-length')) > 1000]).toEqual([
      200,
      0,
      true,
    ]);
  });

  it('prints dates of the operator’s time zone, and a period up to its last day', () => {
    const money = { unit: 'SGD', value: 1 };
    const page = billPage({
      timeZone: 'Asia/Singapore',
      customer: null,
      card: null,
      receiptNo: null,
      lines: [],
      bill: {
        billNo: 'S-1',
        billDate: '2026-10-31T20:30:00.000Z',
        category: 'statement',
        billingPeriod: { startDateTime: '2026-09-30T16:00:00.000Z', endDateTime: '2026-10-31T16:00:00.000Z' },
        statement: { taxExcludedAmount: money, taxAmount: money, taxIncludedAmount: money, item: [] },
      },
    });
    expect(page).toContain('1 November 2026 at 04:30');
    expect(page).toContain('1 October 2026 to 31 October 2026');
    expect(page).toContain('Nothing was paid or given back in this period.');
  });
});
