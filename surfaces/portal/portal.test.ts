import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

  test('what is another’s is not there, on every page that takes an id, and the audit hears of it', async () => {
    const before = await portal.audited(404);
    const own: Readonly<Record<string, string>> = {
      subscriptionId: ben.line,
      orderId: ben.order,
      billId: ben.bill,
      ticketId: 'tck_01k9zzzzzzzzzzzzzzzzzzzzzz',
    };
    const withIds = routes.filter(
      ({ path, audience, method }) => path.includes(':') && audience === 'customer' && method === 'GET',
    );
    expect(withIds.length).toBeGreaterThan(8);
    for (const { path } of withIds) {
      const foreign = path.replace(/:(\w+)/g, (_, name: string) => own[name] ?? 'x');
      const none = path.replace(
        /:(\w+)/g,
        (_, name: string) => `${(own[name] ?? 'x').slice(0, 4)}01k9zzzzzzzzzzzzzzzzzzzzzz`,
      );
      const strip = (text: string) => text.replace(/Reference for our staff:[^<]*/, '').replace(/value="[^"]*"/g, '');
      const one = await ada.browser.get(foreign);
      const other = await ada.browser.get(none);
      expect([path, one.status, other.status]).toEqual([path, 404, 404]);
      expect(strip(one.text)).toBe(strip(other.text));
    }
    expect(await portal.audited(404)).toBeGreaterThan(before);
  });

  test('nobody but a customer sees a customer’s page, and nobody but an operator the desk', async () => {
    for (const { method, path, audience } of routes.filter((route) => route.audience !== 'visitor')) {
      const asked = path.replace(/:\w+/g, 'x');
      const response = await fetch(portal.url + asked, { method, redirect: 'manual' });
      expect([path, response.status]).toEqual([path, 303]);
      expect(response.headers.get('location')).toMatch(audience === 'customer' ? /^\/sign-in/ : /^\/desk\/sign-in/);
    }
    const { status, path } = await ada.browser.get('/desk');
    expect([status, path].join(' ')).not.toMatch(/^200 \/desk$/);
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

  test('too much of it is put off', async () => {
    const hurried = await openPortal({ limit: (_, kind) => (kind === 'visitor' ? 7 : undefined) });
    const browser = hurried.browser();
    await browser.get('/sign-in');
    const { status, headers, text } = await browser.send('/sign-in', { email: 'ada@example.com' });
    await hurried.close();
    expect([status, headers.get('retry-after')]).toEqual([429, '7']);
    expect(text).toContain('Wait 7 seconds');
  });
});
