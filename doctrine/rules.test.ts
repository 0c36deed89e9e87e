import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { commands } from '../policy/commands.ts';
import { cases, planted, rulesOfDoors } from './rules/cases.ts';
import { type Answer, type OpenWorld, openWorld } from './rules/world.ts';

const codes = [...new Set([...commands.flatMap(({ rules }) => rules.map(({ code }) => code)), ...rulesOfDoors])].sort();

let open: OpenWorld;
beforeAll(async () => {
  open = await openWorld();
});
afterEach(() => open.world.forgetWork());
afterAll(() => open.close());

/** Refused by the rule: in so many words, or kept with the code of the rule as what became of it. */
const isRefusedBy = ({ status, text, body }: Answer, code: string): boolean =>
  status === 409 || status === 422 ? body.reason === code : status < 300 && text.includes(code);

test('every rule has a case, and every case a rule', () => {
  expect(Object.keys(cases).sort()).toEqual(codes);
});

describe('a rule refuses at a public door, and does not when it is switched off', () => {
  test.each(codes.filter((code) => Object.hasOwn(cases, code)))('%s', async (code) => {
    const play = cases[code];
    if (!play) throw new Error(`${code} has no case`);
    const on = await play(open.world);
    expect([code, on.status, isRefusedBy(on, code) ? code : on.text]).toEqual([code, on.status, code]);
    const mutation = planted[code];
    const routine =
      mutation && (await open.world.asOwner(`SELECT pg_get_functiondef('${mutation.routine}'::regproc) AS text`));
    if (mutation && routine !== undefined) {
      expect(routine).toContain(mutation.without);
      await open.world.asOwner(routine.replace(mutation.without, ''));
    }
    try {
      const off = await open.without(code, () => play(open.world));
      expect([code, isRefusedBy(off, code)]).toEqual([code, false]);
      // What fails for another reason than a rule would prove nothing about this one.
      expect([code, off.status === 400 ? off.text : 'judged']).toEqual([code, 'judged']);
    } finally {
      if (routine !== undefined) await open.world.asOwner(routine);
    }
  });
});
