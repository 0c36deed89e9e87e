import { describe, expect, it } from 'vitest';
import { loadValidators } from '../../generated/validators/index.ts';
import { operations as ordering, schemas } from '../../generated/validators/TMF622.js';
import { operations as activation } from '../../generated/validators/TMF640.js';
import { operations as cards } from '../../generated/validators/TMF670.js';

const order = { productOrderItem: [{ id: '1', action: 'add' }] };

describe('the body of a create', () => {
  const check = ordering.createProductOrder.request['application/json'];

  it('may hold what the contract does not know', () => {
    expect(check({ ...order, '@type': 'Special', colour: 'red' })).toBe(true);
  });

  it('must hold what the contract requires', () => {
    expect(check({})).toBe(false);
    expect(check.errors).toMatchObject([{ keyword: 'required', params: { missingProperty: 'productOrderItem' } }]);
    expect(check({ productOrderItem: [] })).toBe(false);
  });

  it('names every fault at once, with its place', () => {
    expect(check({ productOrderItem: [{ id: 1, action: 'zap' }], requestedStartDate: 'soon' })).toBe(false);
    expect(check.errors?.map(({ instancePath }) => instancePath).sort()).toEqual([
      '/productOrderItem/0/action',
      '/productOrderItem/0/id',
      '/requestedStartDate',
    ]);
  });

  it('has its dates checked', () => {
    expect(check({ ...order, requestedStartDate: '2026-07-28T10:00:00Z' })).toBe(true);
    expect(check({ ...order, requestedStartDate: '2026-07-28' })).toBe(false);
  });

  it('may refer by a relative link, and not by what is no link', () => {
    const create = activation.createService.request['application/json'];
    const service = { state: 'active', serviceSpecification: { id: '1', href: '/specification/1' } };
    expect(create(service)).toBe(true);
    expect(create({ ...service, serviceSpecification: { id: '1', href: 'not a link' } })).toBe(false);
  });
});

describe('the body of a patch', () => {
  const merge = ordering.patchProductOrder.request['application/merge-patch+json'];

  it('requires nothing and may remove', () => {
    expect(merge({})).toBe(true);
    expect(merge({ description: null, billingAccount: { name: null }, state: null })).toBe(true);
  });

  it('is an object', () => {
    expect(merge(null)).toBe(false);
    expect(merge([])).toBe(false);
  });

  it('replaces an array by complete entries', () => {
    expect(merge({ note: [{ text: 'Hello' }] })).toBe(true);
    expect(merge({ note: [{ author: 'Someone' }] })).toBe(false);
    expect(merge({ note: [null] })).toBe(false);
  });

  it('keeps the types', () => {
    expect(merge({ description: 5 })).toBe(false);
    expect(merge({ state: 'nowhere' })).toBe(false);
  });

  it('may be a list of steps', () => {
    const steps = ordering.patchProductOrder.request['application/json-patch+json'];
    expect(
      steps([
        { op: 'test', path: '/state', value: 'held' },
        { op: 'remove', path: '/note' },
      ]),
    ).toBe(true);
    expect(steps([{ op: 'explode', path: '/state' }])).toBe(false);
    expect(steps({ op: 'remove', path: '/note' })).toBe(false);
  });
});

describe('a query', () => {
  const check = ordering.listProductOrder.query;

  it('has its numbers made numbers and its filters left alone', () => {
    const query = { limit: '10', offset: '0', state: ['held', 'pending'], 'note.text': 'x' };
    expect(check(query)).toBe(true);
    expect(query).toEqual({ limit: 10, offset: 0, state: ['held', 'pending'], 'note.text': 'x' });
  });

  it.each([{ limit: '-1' }, { offset: 'many' }, { limit: '1.5' }, { fields: ['a', 'b'] }])('refuses %o', (query) => {
    expect(check(query)).toBe(false);
  });
});

describe('an answer', () => {
  it('may be partial only where fields were asked for', () => {
    expect(ordering.retrieveProductOrder.response['200']({ id: '1' })).toBe(false);
    expect(ordering.retrieveProductOrder.responsePartial['200']({ id: '1' })).toBe(true);
    expect(ordering.listProductOrder.responsePartial['206']([{ id: '1' }])).toBe(true);
    expect(ordering.listProductOrder.responsePartial['206']([{ id: 1 }])).toBe(false);
  });

  it('without a body has no check', () => {
    expect(ordering.deleteProductOrder.response['204']).toBeNull();
  });

  it('of any other status is an error', () => {
    expect(ordering.listProductOrder.response.default({ code: '1', reason: 'busy' })).toBe(true);
    expect(ordering.listProductOrder.response.default({ code: '1' })).toBe(false);
  });
});

describe('schemas', () => {
  it('checks a whole resource and an event', () => {
    expect(schemas.ProductOrder(order)).toBe(true);
    expect(schemas.ProductOrderStateChangeEvent({ eventId: '1', event: { productOrder: order } })).toBe(true);
    expect(schemas.ProductOrderStateChangeEvent({ eventId: '1', event: { productOrder: {} } })).toBe(false);
  });

  it('checks what a schema extends', () => {
    expect(cards.retrievePaymentMethod.response['200']({ '@type': 'bankCard', name: 'Card', id: 5 })).toBe(false);
    expect(cards.retrievePaymentMethod.response['200']({ '@type': 'bankCard', name: 'Card', id: '5' })).toBe(true);
  });

  it('loads every API on its own', async () => {
    for (const load of Object.values(loadValidators)) {
      const { operations } = await load();
      expect(operations.registerListener?.request?.['application/json']?.({ callback: 'http://x' })).toBe(true);
    }
  });
});
