import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../kernel/json.ts';
import { fromCsv, toCsv } from './csv.ts';

describe('a table of resources', () => {
  it('has a row each and a column for each attribute', () => {
    expect(
      toCsv([
        { name: 'A, "B"', id: 'ofr_1', version: '1.0' },
        { id: 'ofr_2', price: { value: 3 } },
      ]),
    ).toBe('id,name,price,version\r\nofr_1,"A, ""B""",,"""1.0"""\r\nofr_2,,"{""value"":3}",\r\n');
  });

  it('read back is what was written', () => {
    const name = fc.string({ minLength: 1, maxLength: 8 }).filter((text) => text !== '__proto__');
    const value = fc.oneof(
      fc.string(),
      fc.constantFrom('1', 'true', 'null', '""', 'a\r\nb', ','),
      fc.jsonValue({ maxDepth: 2 }),
    );
    const document = fc.dictionary(name, value, { noNullPrototype: true }).map((one) => ({ ...one, id: 'x' }));
    fc.assert(
      fc.property(fc.array(document, { maxLength: 5 }), (documents) => {
        const plain: JsonObject[] = JSON.parse(JSON.stringify(documents));
        expect(fromCsv(toCsv(plain))).toEqual(plain);
      }),
    );
  });

  it('may come from a spreadsheet', () => {
    expect(fromCsv('\uFEFFid,name\nx,Plain\n')).toEqual([{ id: 'x', name: 'Plain' }]);
    expect(fromCsv('id,name\r\nx,')).toEqual([{ id: 'x' }]);
    expect(fromCsv('')).toEqual([]);
  });

  it.each(['id,name\r\nx\r\n', 'id\r\n"x', 'id\r\n"x"y\r\n'])('is refused when it is torn: %j', (text) => {
    expect(() => fromCsv(text)).toThrow(SyntaxError);
  });
});
