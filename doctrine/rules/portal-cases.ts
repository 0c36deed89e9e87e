import type { Case } from './case.ts';
import type { World } from './world.ts';

const details = { offering: 'PLAN_S', givenName: 'Grace', familyName: 'Tan' };

/** An address that no case used before. */
async function address(world: World): Promise<string> {
  const [row] = await world.rows<{ made: string }>('SELECT gen_random_uuid()::text AS made');
  return `${row?.made}@example.com`;
}

/** Somebody at the pages, who chose as much as a sign-up needs. */
async function signingUp(world: World): Promise<{ secret: string; email: string; msisdn: string }> {
  const email = await address(world);
  const { secret, msisdn } = await world.prepared(async (pages) => {
    const made = await pages.begin();
    await pages.startSignUp(made.secret, { ...details, email });
    const [first = ''] = await pages.offerNumbers(made.secret);
    await pages.holdNumber(made.secret, { msisdn: first });
    await pages.keepCard(made.secret, { token: 'tok_visa_pages' });
    return { secret: made.secret, msisdn: first };
  });
  return { secret, email, msisdn };
}

async function signedUp(world: World): Promise<string> {
  const { secret, email } = await signingUp(world);
  return world.prepared(async (pages) => {
    await pages.requestSignUpCode(secret);
    return (await pages.confirmSignUp(secret, { code: await world.mailedCode(email) })).secret;
  });
}

/** Somebody who has a code in the mailbox. */
async function asked(world: World): Promise<{ secret: string; code: string }> {
  const customer = await world.customer();
  const [row] = await world.rows<{ email: string }>('SELECT "email" FROM "customer" WHERE "id" = $1', [customer]);
  const email = row?.email ?? '';
  return world.prepared(async (pages) => {
    const { secret } = await pages.begin();
    await pages.requestSignIn(secret, { email });
    return { secret, code: await world.mailedCode(email) };
  });
}

const wrong = (code: string) => (code === '000000' ? '000001' : '000000');

export const portalCases: Readonly<Record<string, Case>> = {
  'one_time_code.asks_at_most': async (world) => {
    const email = await address(world);
    const { secret } = await world.prepared((pages) => pages.begin());
    const ask = () => world.page((pages) => pages.requestSignIn(secret, { email }));
    for (let time = 0; time < 5; time += 1) await ask();
    return ask();
  },
  'one_time_code.is_right': async (world) => {
    const { secret, code } = await asked(world);
    return world.page((pages) => pages.signIn(secret, { code: wrong(code) }));
  },
  'one_time_code.tries_left': async (world) => {
    const { secret, code } = await asked(world);
    await world.change('UPDATE "one_time_code" SET "tries" = 5');
    return world.page((pages) => pages.signIn(secret, { code }));
  },
  'desk.token_is_live': (world) => world.page((pages) => pages.signInToDesk(undefined, { token: 'air_nothing' })),
  'number.hold_is_free': async (world) => {
    const [{ msisdn }, { secret }] = [await signingUp(world), await signingUp(world)];
    return world.page((pages) => pages.holdNumber(secret, { msisdn }));
  },
  'number.holds_leave_stock': async (world) => {
    const { secret, msisdn } = await signingUp(world);
    await world.change(
      `UPDATE "phone_number" SET "wanted_by" = 'ses_many', "wanted_until" = clock_timestamp() + interval '1 minute'
        WHERE "state" = 'available' AND "msisdn" <> $1`,
      [msisdn],
    );
    try {
      return await world.page((pages) => pages.holdNumber(secret, { msisdn }));
    } finally {
      await world.change(
        `UPDATE "phone_number" SET "wanted_by" = NULL, "wanted_until" = NULL WHERE "wanted_by" = 'ses_many'`,
      );
    }
  },
  'sign_up.is_whole': async (world) => {
    const email = await address(world);
    const { secret } = await world.prepared((pages) => pages.begin());
    await world.prepared((pages) => pages.startSignUp(secret, { ...details, email }));
    return world.page((pages) => pages.requestSignUpCode(secret));
  },
  'sign_up.order_was_confirmed': async (world) => {
    const secret = await signedUp(world);
    await world.change(`UPDATE "sign_up" SET "proven_at" = "proven_at" - interval '2 hours'`);
    return world.page((pages) => pages.buySignUp(secret));
  },
  'confirmation.second_code_given': async (world) => {
    const secret = await signedUp(world);
    return world.page(async (pages, tools) => {
      const caller = (await pages.find(secret))?.caller;
      if (!caller) throw new Error('who signed up has a caller');
      const input = { phone: '6599999999' };
      const { confirmation } = await tools.propose('customer.change_contact', input, caller);
      return tools.confirm('customer.change_contact', input, caller, confirmation.token);
    });
  },
};
