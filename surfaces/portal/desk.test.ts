import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPortal, type Portal } from './testing-portal.ts';

let portal: Portal;
let ada: Awaited<ReturnType<Portal['customer']>>;
beforeAll(async () => {
  portal = await openPortal();
  ada = await portal.customer();
});
afterAll(() => portal.close());

describe('the desk of a token with few scopes', () => {
  const topUp = (): string =>
    String(
      new URLSearchParams({
        tool: 'subscription.top_up',
        arguments: JSON.stringify({ subscriptionId: ada.line, offering: 'VAS_DATA_1GB' }),
      }),
    );

  test('shows what they allow, and nothing else', async () => {
    const browser = await portal.operator(['tools:customer.list']);
    expect((await browser.get('/desk/customers')).status).toBe(200);
    for (const path of ['/desk', '/desk/now', `/desk/customers/${ada.customer}`, '/desk/bills', '/desk/events']) {
      const { status, text } = await browser.get(path);
      expect([path, status]).toEqual([path, 403]);
      expect(text).toContain('This token has no scope for that tool.');
      expect(text).not.toContain(ada.email);
    }
  });

  test('does nothing that they do not allow', async () => {
    const browser = await portal.operator(['tools:subscription.show']);
    await portal.refusals();
    expect((await browser.get(`/desk/confirm?${topUp()}`)).status).toBe(403);
    expect(await portal.refusals()).toMatchObject([{ door: 'desk', status: 403, code: 'forbidden', count: 1 }]);
  });

  test('has an assistant with the tools that they allow', async () => {
    const told = `How much is left on the line ${ada.line}?`;
    const all = await portal.operator();
    await all.get('/desk/chat');
    expect((await all.send('/desk/chat', { text: told })).text).toContain('30 GB');
    const few = await portal.operator(['tools:customer.list']);
    await few.get('/desk/chat');
    expect((await few.send('/desk/chat', { text: told })).text).not.toContain('30 GB');
  });
});

describe('what the assistant proposes at the desk', () => {
  test('is looked at without a trace, proposed and confirmed by forms', async () => {
    const browser = await portal.operator();
    const waiting = async (): Promise<number> =>
      (await portal.house.pool.query('SELECT 1 FROM "confirmation"')).rows.length;
    const before = await waiting();
    const input = { subscriptionId: ada.line, offering: 'VAS_DATA_1GB' };
    const query = new URLSearchParams({ tool: 'subscription.top_up', arguments: JSON.stringify(input) });
    await browser.get(`/desk/confirm?${query}`);
    expect([browser.page.status, await waiting()]).toEqual([200, before]);
    expect(browser.page.text).toContain('SGD 3.00');
    await browser.send('/desk/propose');
    expect(await waiting()).toBe(before + 1);
    expect(browser.page.text).toContain('SGD 3.00');
    await browser.send('/desk/confirm');
    expect(browser.page.path).toBe('/desk/done');
    await portal.house.settle();
    await browser.get(`/desk/lines/${ada.line}`);
    expect(browser.page.text).toContain('VAS_DATA_1GB');
  });
});
