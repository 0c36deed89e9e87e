import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findChromium, openChromium } from '../../browser/chromium.ts';

const program = findChromium(process.env);
const script = (name: string): string => readFileSync(new URL(`./script/${name}`, import.meta.url), 'utf8');

/** The scripts of the pages in a real browser, over a page of a few lines and a server that is played. */
describe.skipIf(program === undefined)('what scripts do to what somebody types', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openChromium(program ?? '');
  });
  afterAll(() => browser?.close());

  async function opened(body: string): Promise<Page> {
    const page = await browser.newPage();
    await page.route('http://pages.test/', (route) => route.fulfill({ contentType: 'text/html', body }));
    await page.goto('http://pages.test/');
    return page;
  }

  test('a second click does not send a form again, until its answer is overdue', async () => {
    const page = await opened('<form action="/pay" method="post"><button>Pay</button></form>');
    let asked = 0;
    await page.route('**/pay', (route) => {
      asked += 1;
      // An answer without content leaves the page where it is.
      return route.fulfill({ status: 204 });
    });
    await page.clock.install();
    await page.addScriptTag({ content: script('once.js') });
    const button = page.getByRole('button');
    await button.dblclick();
    await button.press('Enter');
    await expect.poll(() => asked).toBeGreaterThan(0);
    await page.waitForTimeout(100);
    expect(asked).toBe(1);
    await page.clock.fastForward(5000);
    await button.click();
    await expect.poll(() => asked).toBe(2);
    await page.close();
  });

  test('what the assistant refused can be said again, with why; what is typed meanwhile stays', async () => {
    const page = await opened(
      `<ol class="chat-log"></ol><form class="chat-form" action="/chat" method="post"><input name="conversation">
        <textarea name="text"></textarea><button>Ask</button></form><input id="other">`,
    );
    let answer = (): void => undefined;
    let asked = 0;
    await page.route('**/chat', async (route) => {
      asked += 1;
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      const refusal = '<h1>Not done</h1><p class="lead">You asked a lot this hour.</p>';
      await (asked === 1
        ? route.fulfill({ status: 429, contentType: 'text/html', body: refusal })
        : route.fulfill({
            contentType: 'text/event-stream',
            body: 'event: turn\ndata: {"reply":"Ten.","proposals":[]}\n\n',
          }));
    });
    await page.addScriptTag({ content: script('chat.js') });
    const field = page.locator('textarea');
    await field.fill('How much is left?');
    await field.press('Enter');
    await page.getByText('One moment…').waitFor();
    answer();
    await page.getByText('You asked a lot this hour.').waitFor();
    expect(await field.inputValue()).toBe('How much is left?');

    await field.press('Enter');
    await expect.poll(() => asked).toBe(2);
    await field.fill('And abroad?');
    await field.press('Enter');
    await page.locator('#other').focus();
    answer();
    await page.getByText('Ten.').waitFor();
    expect(await field.inputValue()).toBe('And abroad?');
    expect(await page.evaluate('document.activeElement.id')).toBe('other');
    expect(asked).toBe(2);
    await page.close();
  });

  test('what is refreshed keeps the keyboard where it was, and takes nothing from who types', async () => {
    const page = await opened(
      `<div data-live="/now"><a href="/a">A</a> <a href="/b">B</a> <input id="typed"></div><p id="end"></p>`,
    );
    let round = 0;
    await page.route('**/now', (route) => {
      round += 1;
      return route.fulfill({
        contentType: 'text/html',
        body: `<b>${round}</b> <a href="/new">N</a> <a href="/a">A</a> <a href="/b">B</a> <input id="typed">`,
      });
    });
    await page.addScriptTag({ content: script('live.js') });
    const refresh = () => page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
    await page.locator('a[href="/b"]').focus();
    await refresh();
    await page.locator('b', { hasText: '1' }).waitFor();
    expect(await page.evaluate('document.activeElement.getAttribute("href")')).toBe('/b');
    await page.locator('#typed').fill('half a wo');
    await refresh();
    await expect.poll(() => round).toBe(2);
    await page.waitForTimeout(50);
    expect(await page.locator('#typed').inputValue()).toBe('half a wo');
    await page.locator('#typed').blur();
    await refresh();
    await page.locator('b', { hasText: '3' }).waitFor();
    await page.close();
  });
});
