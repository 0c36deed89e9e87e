import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemCaller } from '../../kernel/caller.ts';
import { isSellable, readOfferingByCode } from '../../policy/catalogue/offering-terms.ts';
import { transaction } from '../../policy/core/command.ts';
import { type TestPolicy, testPolicy } from '../../policy/core/testing.ts';
import { seedCatalogue, seedOfferings } from './catalogue.ts';

const caller = systemCaller('seed');

describe('the seed catalogue', () => {
  let given: TestPolicy;
  beforeAll(async () => {
    given = await testPolicy();
  });
  afterAll(() => given.close());

  it('is created once', async () => {
    expect(await seedCatalogue(given.policy, caller)).toBe(1 + 2 + 3 + 9 + 10 + 4);
    expect(await seedCatalogue(given.policy, caller)).toBe(0);
  });

  it('can be sold by the house, as it says', async () => {
    const minute = 60;
    const mb = 1024 ** 2;
    const gb = 1024 ** 3;
    const expected: Record<string, [number, string, number | null]> = {
      PLAN_S: [1000, `data=${5 * gb} voice=${100 * minute} sms=100`, null],
      PLAN_M: [2500, `data=${30 * gb} voice=null sms=null roaming_data=${500 * mb}`, null],
      PLAN_L: [4500, `data=${150 * gb} voice=null sms=null roaming_data=${2 * gb}`, null],
      VAS_DATA_1GB: [300, `data=${gb}`, 720],
      VAS_DATA_5GB: [1200, `data=${5 * gb}`, 720],
      VAS_DAY_PASS: [500, 'data=null', 24],
      VAS_VOICE_100: [300, `voice=${100 * minute}`, 720],
      VAS_SMS_100: [200, 'sms=100', 720],
      VAS_ROAMING_1GB: [800, `roaming_data=${gb}`, 720],
      VAS_PERIOD: [0, '', null],
    };
    const found: typeof expected = {};
    await transaction(given.policy, 'seed.read', caller, { rollback: true }, async (tx) => {
      for (const { code } of seedOfferings) {
        const offering = await readOfferingByCode(tx, code);
        if (!offering || 'fault' in offering.terms) throw new Error(`${code}: ${JSON.stringify(offering?.terms)}`);
        expect(isSellable(offering.document, tx.now)).toBe(true);
        const { terms } = offering;
        expect([terms.code, terms.currency, terms.taxRate]).toEqual([code, 'SGD', 900]);
        found[code] = [
          terms.amountMinor,
          terms.allowances.map((one) => `${one.kind}=${one.quantity}`).join(' '),
          terms.validityHours,
        ];
      }
    });
    expect(found).toEqual(expected);
  });
});
