import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../kernel/json.ts';
import { toBody } from './projection.ts';

const href = (id: string) => `https://bss.example/thing/${id}`;
const document: JsonObject = {
  '@type': 'Thing',
  name: 'n',
  id: 't_1',
  note: [{ author: 'a', text: 'x' }, { author: 'b' }, 'plain'],
  place: { city: { name: 'c', zip: '1' } },
  empty: {},
};

describe('toBody', () => {
  it('puts id and href first and leaves the rest as it is', () => {
    const body = toBody(document, href, undefined);
    expect(body).toEqual({ ...document, href: href('t_1') });
    expect(Object.keys(body).slice(0, 2)).toEqual(['id', 'href']);
  });

  it('keeps id and href whatever is selected', () => {
    expect(toBody(document, href, [])).toEqual({ id: 't_1', href: href('t_1') });
    expect(toBody(document, href, [['name'], ['unknown'], ['id']])).toEqual({
      id: 't_1',
      href: href('t_1'),
      name: 'n',
    });
  });

  it('selects below objects and in each element of an array', () => {
    const selected = toBody(document, href, [
      ['note', 'author'],
      ['place', 'city', 'name'],
      ['empty', 'x'],
      ['name', 'x'],
    ]);
    expect(selected).toEqual({
      id: 't_1',
      href: href('t_1'),
      note: [{ author: 'a' }, { author: 'b' }],
      place: { city: { name: 'c' } },
    });
  });

  it('gives the whole where both the whole and a part are selected', () => {
    expect(toBody(document, href, [['place', 'city', 'zip'], ['place']]).place).toEqual(document.place);
  });

  it('treats an attribute called __proto__ as an attribute', () => {
    const body = toBody(JSON.parse('{"id":"t_1","__proto__":{"polluted":true}}'), href, [['__proto__']]);
    expect(JSON.stringify(body)).toContain('"__proto__":{"polluted":true}');
    expect('polluted' in body).toBe(false);
  });
});
