import { expect, test } from 'vitest';
import { loadValidators } from '../../generated/validators/index.ts';
import { contractError, fieldOf } from './faults.ts';

test('a place is written as people write it', () => {
  expect(fieldOf('/productOrderItem/0/action')).toBe('productOrderItem[0].action');
  expect(fieldOf('/a~1b/c~0d/2')).toBe('a/b.c~d[2]');
  expect(fieldOf('')).toBe('');
});

test('what the contract refuses names field, rule and remedy', async () => {
  const { operations } = await loadValidators.TMF622();
  const validate = operations.createProductOrder?.request?.['application/json'];
  if (!validate) throw new Error('the contract has a body here');
  const body = { productOrderItem: [{ action: 'buy' }], requestedStartDate: 'soon', priority: 4 };
  expect(validate(body)).toBe(false);
  const error = contractError(validate.errors, 'the body');
  expect(error.status).toBe(400);
  expect(error.faults).toEqual(
    expect.arrayContaining([
      { field: 'productOrderItem[0].id', rule: 'is missing', remedy: expect.any(String) },
      {
        field: 'productOrderItem[0].action',
        rule: 'is not one of the allowed values',
        remedy: expect.stringContaining('add, modify, delete'),
      },
      { field: 'requestedStartDate', rule: 'must be a date and time', remedy: expect.any(String) },
      { field: 'priority', rule: 'must be a text', remedy: expect.any(String) },
    ]),
  );
  expect(error.message).not.toContain('soon');
});

test('the whole is called by its name', async () => {
  const { operations } = await loadValidators.TMF620();
  const validate = operations.createCatalog?.request?.['application/json'];
  expect(validate?.([])).toBe(false);
  expect(contractError(validate?.errors, 'the body').message).toContain('the body must be an object');
});

test('as many faults are shown as a person reads', async () => {
  const errors = Array.from({ length: 500 }, (_, index) => ({
    instancePath: `/a/${index}`,
    schemaPath: '',
    keyword: 'type',
    params: { type: 'string' },
  }));
  expect(contractError(errors, 'the body').faults).toHaveLength(20);
});
