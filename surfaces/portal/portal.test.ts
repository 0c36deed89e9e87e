import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Refusal } from '../../kernel/error.ts';
import { transaction } from '../../policy/core/command.ts';
import { assetPath } from './assets.ts';
import { routes } from './routes.ts';
import { type Browser, formsOf, openPortal, type Portal } from './testing-portal.ts';

let portal: Portal;
let ada: Awaited<ReturnType<Portal['customer']>>;
let ben: Awaited<ReturnType<Portal['customer']>>;
beforeAll(async () => {
  portal = await openPortal();
  ada = await portal.customer();
  ben = await portal.customer();
});
afterAll(() => portal.close());

const heading = ({ page }: Browser): string => /<h1>([^<]*)<\/h1>/.exec(page.text)?.[1] ?? '';

describe('from /plans to a live line by plain forms', () => {
  async function details(browser: Browser, email: string): Promise<void> {
    await browser.get('/plans');
    const choose = /href="(\/sign-up\?plan=PLAN_S)"/.exec(browser.page.text)?.[1] ?? '';
    await browser.get(choose);
    await browser.send('/sign-up', { givenName: 'Eve', familyName: 'Ong', email });
    expect(browser.page.path).toBe('/sign-up/number');
    await browser.send('/sign-up/number');
    expect(browser.page.path).toBe('/sign-up/card');
  }

  test('with a card that is declined and a network that is away on the way', async () => {
    const browser = portal.browser();
    const email = 'eve@example.com';
    await details(browser, email);
    await browser.send('/sign-up/card', { token: 'tok_declined' });
    expect(browser.page.path).toBe('/sign-up/confirm');
    const number = /\+65 \d{4} \d{4}/.exec(browser.page.text)?.[0];
    const visitor = browser.cookie;
    await browser.send('/sign-up/confirm', { code: await portal.code(email) });
    expect(browser.cookie).not.toBe(visitor);
    expect(browser.page.path).toBe('/sign-up/order');
    await portal.house.settle();
    await browser.get('/sign-up/order');
    expect(heading(browser)).toBe('The card was declined');
    // The network refuses for good, and then it works.
    await portal.house.network.plan({ mode: 'refuse', times: 1, permanent: true });
    await browser.send('/sign-up/again', { token: 'tok_visa' });
    await portal.house.settle();
    await browser.get('/sign-up/order');
    expect(heading(browser)).toBe('It did not work yet');
    expect(browser.page.text).toContain('SGD 10.00 was put aside on it, and was let go.');
    await browser.send('/sign-up/again');
    expect(browser.page.text).toContain('http-equiv="refresh"');
    await portal.house.settle();
    await browser.get('/sign-up/order');
    expect(browser.page.path).toMatch(/^\/account\/lines\/sub_\w+\/esim\?done=live$/);
    expect(browser.page.text).toMatch(/LPA:1\$/);
    expect(browser.page.text).toContain('<svg class="qr"');
    await browser.get('/account');
    expect(browser.page.text).toContain(number);
    expect(browser.page.text).toContain('SGD 10.00');
    expect(await portal.house.breaches()).toEqual([]);
  });

  test('a number that is lost on the way is chosen again, before and after there is a customer', async () => {
    let isAway = true;
    const shop = await openPortal({
      wrap: (door) => ({
        ...door,
        buySignUp: async (secret) => {
          if (isAway) throw new Refusal('test.away', 'No order is taken at this moment.');
          return door.buySignUp(secret);
        },
      }),
    });
    const { policy, caller } = shop.house;
    const lose = () =>
      transaction(policy, 'test.lose', caller, {}, async (tx) => {
        await tx.sql`UPDATE "phone_number" SET "wanted_until" = clock_timestamp() WHERE "wanted_until" IS NOT NULL`;
      });
    const browser = shop.browser();
    const email = 'flo@example.com';
    await details(browser, email);
    await browser.send('/sign-up/card', { token: 'tok_visa' });
    await lose();
    await browser.send('/sign-up/confirm', { code: await shop.code(email) });
    expect(browser.page.path).toBe('/sign-up/number');
    expect(browser.page.text).toContain('is kept for you no more');
    await browser.send('/sign-up/number');
    await browser.send('/sign-up/card', { token: 'tok_visa' });
    expect(browser.page.path).toBe('/sign-up/confirm');
    await shop.refusals();
    await browser.send('/sign-up/confirm', { code: await shop.code(email) });
    expect(await shop.refusals()).toMatchObject([
      { operation: 'confirmSignUp', status: 422, code: 'test.away', count: 1 },
    ]);
    expect([browser.page.path, heading(browser)]).toEqual(['/sign-up/order', 'Almost there']);
    expect(browser.page.text).not.toContain('/sign-up/number');
    await lose();
    expect((await browser.get('/sign-up/order')).text).toContain('href="/sign-up/number"');
    await browser.get('/sign-up/number');
    const chosen = formsOf(browser.page.text).find(({ action }) => action === '/sign-up/number')?.fields.msisdn ?? '';
    await browser.send('/sign-up/number');
    expect(browser.page.path).toBe('/sign-up/order');
    isAway = false;
    await browser.send('/sign-up/again');
    await shop.house.settle();
    expect((await browser.get('/sign-up/order')).path).toMatch(/esim\?done=live$/);
    expect((await browser.get('/account')).text.replaceAll(' ', '')).toContain(`+${chosen}`);
    await shop.close();
  });

  test('what was typed comes back with what was wrong, tied to its field', async () => {
    const browser = portal.browser();
    await browser.get('/sign-up?plan=PLAN_M');
    await browser.send('/sign-up', { givenName: 'Zoë', familyName: '', email: 'nowhere' });
    const { status, text } = browser.page;
    expect(status).toBe(400);
    expect(text).toContain('value="Zoë"');
    expect(text).toContain('href="#field-familyName"');
    expect(text).toMatch(/aria-invalid="true" aria-describedby="field-email-hint field-email-fault"/);
    expect(text).toContain('Type it as in ada@example.com.');
  });
});

describe('the account', () => {
  test('shows what is left, when it renews and for how much', async () => {
    const { text } = await ada.browser.get('/account');
    expect(text).toContain('30 GB');
    expect(text).toContain('Renews');
    expect(text).toContain('SGD 25.00');
  });

  test('a top-up is shown, confirmed by a mailed code, and paid once', async () => {
    const { browser, line, email } = ada;
    await browser.get(`/account/lines/${line}/top-up`);
    await browser.send(`/account/lines/${line}/top-up`, { offering: 'VAS_DATA_1GB' });
    expect(browser.page.text).toContain('SGD 3.00');
    await browser.send('/account/confirm', { code: '000000' });
    expect(browser.page.status).toBe(422);
    expect(browser.page.text).toContain('SGD 3.00');
    await browser.send('/account/confirm', { code: await portal.code(email) });
    expect(browser.page.path).toMatch(/^\/account\/orders\/ord_/);
    await portal.house.settle();
    await browser.get(browser.page.path);
    expect(heading(browser)).toBe('Done');
    expect((await browser.get(`/account/lines/${line}`)).text).toContain('of a top-up');
  });

  test('a yes that is sent again, or twice at once, shows what came of the first, and pays once', async () => {
    const { browser, line, email, customer } = ada;
    const orders = async (): Promise<number> =>
      (await portal.house.pool.query('SELECT 1 FROM "product_order" WHERE "customer_id" = $1', [customer])).rows.length;
    const asked = async (): Promise<Record<string, string>> => {
      // The receipt of what was bought before is in the mail by then: the code is the latest letter.
      await portal.house.settle();
      await browser.get(`/account/lines/${line}/top-up`);
      await browser.send(`/account/lines/${line}/top-up`, { offering: 'VAS_SMS_100' });
      const form = formsOf(browser.page.text).find(({ action }) => action === '/account/confirm');
      return { ...form?.fields, code: await portal.code(email) };
    };
    const before = await orders();
    const fields = await asked();
    await browser.post('/account/confirm', fields);
    const first = browser.page.path;
    expect(first).toMatch(/^\/account\/orders\/ord_/);
    await browser.post('/account/confirm', fields);
    expect(browser.page.path).toBe(first);
    await browser.post('/account/confirm/again', fields);
    expect([browser.page.status, heading(browser)]).toEqual([409, 'Top up']);
    expect(browser.page.text).toContain('Nothing waits for a code here any more');
    await browser.post('/account/confirm', { ...fields, confirmation: 'x'.repeat(43) });
    expect([browser.page.status, heading(browser)]).toEqual([422, 'Top up']);

    const twice = await asked();
    const clicks = [portal.browser(), portal.browser()];
    await Promise.all(
      clicks.map((one) => {
        one.cookie = browser.cookie;
        return one.post('/account/confirm', twice);
      }),
    );
    expect(clicks[0]?.page.path).toMatch(/^\/account\/orders\/ord_/);
    expect(clicks[1]?.page.path).toBe(clicks[0]?.page.path);
    expect(await orders()).toBe(before + 2);
    await portal.house.settle();
  });

  test('without the code nothing that costs money is done, whatever form is sent', async () => {
    const { browser, line } = ada;
    await browser.get(`/account/lines/${line}/plan`);
    await browser.send(`/account/lines/${line}/plan`, { offering: 'PLAN_L' });
    const form = formsOf(browser.page.text).find(({ action }) => action === '/account/confirm');
    await browser.post('/account/confirm', { ...form?.fields, code: '123456', tool: 'subscription.end' });
    expect(browser.page.status).toBe(422);
    await browser.get(`/account/lines/${line}`);
    expect(browser.page.text).not.toContain('instead of');
  });

  test('plan, roaming, cards, details and tickets are changed', async () => {
    const { browser, line, email } = ben;
    const confirmed = async (): Promise<void> => {
      await browser.send('/account/confirm', { code: await portal.code(email) });
    };
    await browser.get(`/account/lines/${line}`);
    await browser.send(`/account/lines/${line}/roaming`);
    expect(browser.page.text).toMatch(/Roaming is (on|off)\./);
    await browser.get(`/account/lines/${line}/plan`);
    await browser.send(`/account/lines/${line}/plan`, { offering: 'PLAN_L' });
    await confirmed();
    expect(browser.page.path).toBe(`/account/lines/${line}?done=plan-changed`);
    expect(browser.page.text).toContain('SGD 45.00');
    await browser.send(`/account/lines/${line}/plan/withdraw`);
    expect(browser.page.text).not.toContain('SGD 45.00');
    await browser.get('/account/cards');
    await browser.send('/account/cards', { token: 'tok_mastercard' });
    expect(browser.page.path).toBe('/account/cards?done=card-added');
    const remove = formsOf(browser.page.text).find(({ action }) => action.endsWith('/remove'));
    await browser.send(remove?.action ?? '');
    await confirmed();
    expect(browser.page.path).toBe('/account/cards?done=card-removed');
    await browser.get('/account/help/new');
    await browser.send('/account/help', { name: 'No data <b>at all</b>', description: 'Since noon.' });
    expect(browser.page.text).toContain('No data &lt;b>at all&lt;/b>');
    const ticket = /href="(\/account\/help\/tck_\w+)"/.exec(browser.page.text)?.[1] ?? '';
    await browser.get(ticket);
    await browser.send(`${ticket}/note`, { note: 'It works again <script>' });
    expect(browser.page.path).toBe(`${ticket}?done=note-added`);
    expect(browser.page.text).toContain('It works again &lt;script>');
    await browser.get('/account/details');
    await browser.send('/account/details', { email: `new-${email}` });
    await confirmed();
    expect(browser.page.text).toContain('We mailed a link to the new address.');
    const link = /(\/sign-in\/link\?token=[\w-]+)/.exec(await portal.letter(`new-${email}`))?.[1] ?? '';
    await browser.get(link);
    await browser.send('/sign-in/link');
    expect((await browser.get('/account/details')).text).toContain(`new-${email}`);
  });

  test('a receipt is shown and downloaded', async () => {
    const { browser, bill } = ada;
    const { text } = await browser.get(`/account/receipts/${bill}`);
    expect(text).toContain('SGD 25.00');
    const { headers, text: file } = await browser.get(`/account/receipts/${bill}/download`);
    expect(headers.get('content-disposition')).toMatch(/^attachment; filename="receipt-\d+\.txt"$/);
    expect(file).toMatch(/Total {9}SGD 25\.00/);
  });

  test('the assistant answers a form as it is, and streams to a script', async () => {
    const { browser } = ada;
    await browser.get('/account/chat?new=1');
    await browser.send('/account/chat', { text: 'How much data is left?' });
    expect(browser.page.text).toMatch(/said by-assistant/);
    await browser.get('/account/chat?new=1');
    const fields = formsOf(browser.page.text).find(({ action }) => action === '/account/chat')?.fields;
    const { text, headers } = await browser.post(
      '/account/chat',
      { ...fields, text: 'How much data is left?' },
      { accept: 'text/event-stream' },
    );
    expect(headers.get('content-type')).toBe('text/event-stream');
    expect(text).toMatch(/event: conversation[\s\S]*event: turn\ndata: \{"reply":"/);
  });

  test('what is refused before the first word of a stream has its status, and the audit hears of it', async () => {
    const { browser } = ada;
    await browser.get('/account/chat?new=1');
    const fields = formsOf(browser.page.text).find(({ action }) => action === '/account/chat')?.fields;
    await portal.refusals();
    const stream = { accept: 'text/event-stream' };
    const said = { ...fields, conversation: 'chs_01k9zzzzzzzzzzzzzzzzzzzzzz', text: 'Whose is this?' };
    const { status, headers } = await browser.post('/account/chat', said, stream);
    expect([status, headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
    expect(await portal.refusals()).toMatchObject([{ operation: 'say', status: 404, code: 'notFound', count: 1 }]);
    const empty = await browser.post('/account/chat', { ...fields, text: '' }, stream);
    expect([empty.status, empty.text.includes('What you say is missing.')]).toEqual([400, true]);
  });

  test('details: what stays is not asked for, and the phone can be removed', async () => {
    const { browser, email } = ada;
    const change = async (fields: Record<string, string>): Promise<string> => {
      await browser.get('/account/details');
      return (await browser.send('/account/details', fields)).text;
    };
    expect(await change({})).toContain('That is how we reach you already.');
    expect(await change({ phone: '+6581234567' })).not.toContain('Send receipts');
    await browser.send('/account/confirm', { code: await portal.code(email) });
    expect((await browser.get('/account/details')).text).toContain('+6581234567');
    expect(await change({ phone: '' })).toContain('Keep no phone number.');
    await browser.send('/account/confirm', { code: await portal.code(email) });
    expect(browser.page.path).toBe('/account/details?done=contact-changed');
    expect(browser.page.text).not.toContain('6581234567');
    expect(await change({ email: 'nowhere', phone: '' })).toMatch(/name="phone" type="tel"(?![^>]*value)/);
  });

  test('what is wrong with a card of the list is not said at the form for another', async () => {
    const { browser } = ada;
    await browser.get('/account/cards');
    const remove = formsOf(browser.page.text).find(({ action }) => action.endsWith('/remove'));
    await browser.send(remove?.action ?? '');
    expect(browser.page.status).toBe(409);
    expect(browser.page.text.indexOf('id="problem"')).toBeLessThan(browser.page.text.indexOf('/remove"'));
    expect(browser.page.text.split('id="problem"').length).toBe(2);
    await browser.get('/account/cards');
    await browser.send('/account/cards', { token: '!' });
    expect(browser.page.status).toBe(400);
    expect(browser.page.text.indexOf('id="problem"')).toBeGreaterThan(browser.page.text.indexOf('Another card'));
  });

  test('the line ends, and the session does', async () => {
    const cleo = await portal.customer();
    const { browser, line, email } = cleo;
    await browser.get(`/account/lines/${line}/end`);
    await browser.send(`/account/lines/${line}/end`, { when: 'boundary' });
    await browser.send('/account/confirm', { code: await portal.code(email) });
    expect(browser.page.text).toContain('The line ends when its period does.');
    await browser.send(`/account/lines/${line}/end/withdraw`);
    expect(browser.page.text).toContain('The line goes on');
    const before = browser.cookie;
    await browser.send('/sign-out');
    browser.cookie = before;
    expect((await browser.get('/account')).path).toBe('/sign-in?next=%2Faccount');
  });
});

describe('what stands guard', () => {
  test('a page allows itself and nothing else, and is kept nowhere', async () => {
    for (const browser of [portal.browser(), ada.browser]) {
      const { headers } = await browser.get('/plans');
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
      );
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('referrer-policy')).toBe('same-origin');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  test('pages carry no style and no script of their own', async () => {
    for (const path of ['/plans', '/account', `/account/lines/${ada.line}/usage`, '/account/chat']) {
      const { text } = await ada.browser.get(path);
      expect(text).not.toMatch(/ style="|<style|<script(?! src)| on[a-z]+="/);
      expect(Buffer.byteLength(text)).toBeLessThan(60_000);
    }
  });

  test('the stylesheet is kept for ever under a name that changes with it', async () => {
    const { status, headers, text } = await portal.browser().get(assetPath('portal.css'));
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(Buffer.byteLength(text)).toBeLessThan(40_000);
    expect((await portal.browser().get('/assets/portal-000000000000.css')).status).toBe(404);
    expect((await portal.browser().get('/assets/..%2f..%2fpackage.json')).status).toBe(404);
  });

  test('the cookie is out of reach of scripts, and for secure connections where there are such', async () => {
    const response = await fetch(`${portal.url}/sign-in`);
    expect(response.headers.get('set-cookie')).toMatch(
      /^airtime_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/,
    );
    const secure = await openPortal({ publicUrl: 'https://bss.example.com' });
    const answer = await fetch(`${secure.url}/sign-in`);
    await secure.close();
    expect(answer.headers.get('set-cookie')).toContain('; Secure');
  });

  test.each([
    ['another site’s form without the token', { csrf: '' }, {}],
    ['a token of somebody else', { csrf: 'x'.repeat(43) }, {}],
    ['another site’s origin', {}, { origin: 'https://evil.example' }],
    ['what a browser calls cross-site', {}, { 'sec-fetch-site': 'cross-site' }],
  ])('a form is refused with %s', async (_, fields, headers) => {
    const { browser, line } = ada;
    await browser.get(`/account/lines/${line}`);
    const form = formsOf(browser.page.text).find(({ action }) => action.endsWith('/roaming'));
    const { status } = await browser.post(form?.action ?? '', { ...form?.fields, ...fields }, headers);
    expect(status).toBe(403);
    expect((await browser.get(`/account/lines/${line}`)).text).toContain(`value="${form?.fields.roaming}"`);
  });

  test.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/nowhere',
    'javascript:alert(1)',
    '/assets/x',
  ])('after signing in nobody is sent to %s', async (next) => {
    const browser = portal.browser();
    await browser.get(`/sign-in?next=${encodeURIComponent(next)}`);
    expect(formsOf(browser.page.text).find(({ action }) => action === '/sign-in')?.fields.next).toBe('');
  });

  test('after signing in one is where one wanted to be', async () => {
    const { email, line } = ada;
    const browser = portal.browser();
    await browser.get(`/account/lines/${line}/usage?days=30`);
    expect(browser.page.path).toContain('/sign-in?next=');
    await browser.send('/sign-in', { email });
    await browser.send('/sign-in/code', { code: await portal.code(email) });
    expect(browser.page.path).toBe(`/account/lines/${line}/usage?days=30`);
  });

  test('a link of a mail is not used by looking at it', async () => {
    const { email } = ada;
    const browser = portal.browser();
    await browser.get('/sign-in');
    await browser.send('/sign-in', { email });
    const link = /(\/sign-in\/link\?token=[\w-]+)/.exec(await portal.letter(email))?.[1] ?? '';
    const other = portal.browser();
    await other.get(link);
    await other.get(link);
    await other.send('/sign-in/link');
    expect(other.page.path).toBe('/account');
    await browser.get(link);
    await browser.send('/sign-in/link');
    expect(browser.page.path).toBe('/sign-in/link');
    expect(browser.page.status).toBe(422);
  });

  test('whoever asks for a code is answered alike, customer or not', async () => {
    const texts: string[] = [];
    for (const email of [ada.email, 'nobody@example.com']) {
      const browser = portal.browser();
      await browser.get('/sign-in');
      const { text } = await browser.send('/sign-in', { email });
      texts.push(text.replaceAll(email, '').replace(/name="csrf" value="[^"]*"/g, ''));
    }
    expect(texts[0]).toBe(texts[1]);
  });

  test('what is another’s is not there, on every page that takes an id, and the audit hears of each once', async () => {
    await ben.browser.get('/account/help/new');
    await ben.browser.send('/account/help', { name: 'Of Ben alone', description: 'Nobody else’s business' });
    const ticketId = /href="\/account\/help\/(tck_\w+)"/.exec(ben.browser.page.text)?.[1] ?? '';
    expect((await ben.browser.get(`/account/help/${ticketId}`)).text).toContain('Of Ben alone');
    const own: Readonly<Record<string, string>> = {
      subscriptionId: ben.line,
      orderId: ben.order,
      billId: ben.bill,
      ticketId,
    };
    const withIds = routes.filter(
      ({ path, audience, method }) => path.includes(':') && audience === 'customer' && method === 'GET',
    );
    expect(withIds.length).toBeGreaterThan(8);
    for (const { path, operation } of withIds) {
      const foreign = path.replace(/:(\w+)/g, (_, name: string) => own[name] ?? 'x');
      const none = path.replace(
        /:(\w+)/g,
        (_, name: string) => `${(own[name] ?? 'x').slice(0, 4)}01k9zzzzzzzzzzzzzzzzzzzzzz`,
      );
      const strip = (text: string) => text.replace(/Reference for our staff:[^<]*/, '').replace(/value="[^"]*"/g, '');
      await portal.refusals();
      const one = await ada.browser.get(foreign);
      expect(await portal.refusals()).toEqual([
        { door: 'account', operation, status: 404, code: 'notFound', audience: 'customer', count: 1 },
      ]);
      const other = await ada.browser.get(none);
      expect([path, one.status, other.status]).toEqual([path, 404, 404]);
      expect(strip(one.text)).toBe(strip(other.text));
    }
  });

  test('the audit has a refusal once, with the rule that it broke', async () => {
    const { browser, line } = ada;
    await browser.get(`/account/lines/${line}/plan`);
    await portal.refusals();
    const csrf = formsOf(browser.page.text)[0]?.fields.csrf ?? '';
    await browser.post(`/account/lines/${line}/plan/withdraw`, { csrf });
    expect(browser.page.status).toBe(409);
    expect(await portal.refusals()).toEqual([
      {
        door: 'account',
        operation: 'keepPlan',
        status: 409,
        code: 'subscription.no_plan_change_pending',
        audience: 'customer',
        count: 1,
      },
    ]);
    await browser.post(`/account/lines/${line}/roaming`, { csrf: 'x'.repeat(43), roaming: 'on' });
    expect(await portal.refusals()).toMatchObject([
      { operation: 'roaming', status: 403, code: 'portal.csrf', count: 1 },
    ]);
  });

  test('nobody but a customer sees a customer’s page, and nobody but an operator the desk', async () => {
    for (const { method, path, audience } of routes.filter((route) => route.audience !== 'visitor')) {
      const asked = path.replace(/:\w+/g, 'x');
      const response = await fetch(portal.url + asked, { method, redirect: 'manual' });
      expect([path, response.status]).toEqual([path, 303]);
      expect(response.headers.get('location')).toMatch(audience === 'customer' ? /^\/sign-in/ : /^\/desk\/sign-in/);
    }
    await portal.refusals();
    const { path } = await ada.browser.get('/desk');
    expect(path).toBe('/desk/sign-in');
    expect(await portal.refusals()).toEqual([
      {
        door: 'desk',
        operation: 'deskToday',
        status: 403,
        code: 'portal.operators_only',
        audience: 'customer',
        count: 1,
      },
    ]);
  });

  test('a page that is not there says so, and another method is not allowed', async () => {
    expect((await portal.browser().get('/account-x')).status).toBe(404);
    expect((await ada.browser.get('/account/confirm')).status).toBe(405);
    expect((await fetch(`${portal.url}/plans`, { method: 'DELETE' })).status).toBe(405);
  });

  test('a form that is too large is refused and answered', async () => {
    await ada.browser.get('/account/help/new');
    const { status } = await ada.browser.send('/account/help', { name: 'x', description: 'y'.repeat(40_000) });
    expect(status).toBe(413);
  });

  test('too much of it is put off: forms, and pages that begin a session', async () => {
    const asked: string[] = [];
    const hurried = await openPortal({
      limit: (who, kind) => {
        asked.push(`${kind} ${who.split(' ')[0]}`);
        return asked.length > 2 ? 7 : undefined;
      },
    });
    const browser = hurried.browser();
    await browser.get('/plans');
    expect(asked).toEqual([]);
    await browser.get('/sign-in');
    await browser.get('/sign-in');
    expect(asked).toEqual(['visitor address']);
    await browser.send('/sign-in', { email: 'ada@example.com' });
    expect(asked).toEqual(['visitor address', 'visitor address']);
    const late = await hurried.browser().get('/sign-in');
    expect([late.status, late.headers.get('retry-after'), late.headers.getSetCookie()]).toEqual([429, '7', []]);
    expect(late.text).toContain('Wait 7 seconds');
    await browser.get('/sign-in');
    expect((await browser.send('/sign-in', { email: 'ada@example.com' })).status).toBe(429);
    await hurried.close();
  });

  test('a card is begun at the gateway for who asks for the field, and not by looking', async () => {
    let begun = 0;
    const real = await openPortal({
      beginCard: async () => {
        begun += 1;
        return { clientSecret: `seti_${begun}_secret_x` };
      },
    });
    const { browser } = await real.customer();
    for (let look = 0; look < 3; look += 1) await browser.get('/account/cards');
    expect(begun).toBe(0);
    expect(browser.page.text).not.toContain('js.stripe.com');
    await browser.send('/account/cards', { open: 'yes' });
    expect([browser.page.status, begun]).toEqual([200, 1]);
    expect(browser.page.text).toContain('data-card-secret="seti_1_secret_x"');
    expect(browser.page.headers.get('content-security-policy')).toContain('https://js.stripe.com');
    await real.close();
  });
});
