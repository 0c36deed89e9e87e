import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openPortal, type Portal } from './testing-portal.ts';

let portal: Portal;
beforeAll(async () => {
  portal = await openPortal();
});
afterAll(() => portal.close());

it('a page whose database is away says when to come back, at whichever of its questions that is', async () => {
  const { browser, line } = await portal.customer();
  const { pool } = portal.house;
  const connect: (...given: unknown[]) => unknown = pool.connect.bind(pool);
  for (const path of [`/account/lines/${line}/balances`, `/account/lines/${line}`, '/account']) {
    let answered = 0;
    for (let allowed = 0; ; allowed += 1) {
      let asked = 0;
      const spy = vi.spyOn(pool, 'connect').mockImplementation((...given: unknown[]) => {
        asked += 1;
        if (asked <= allowed) return connect(...given);
        const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
        const [told] = given;
        return typeof told === 'function' ? told(error) : Promise.reject(error);
      });
      const page = await browser.get(path);
      spy.mockRestore();
      if (page.status === 200) break;
      answered += 1;
      expect([page.status, page.headers.get('retry-after'), page.path]).toEqual([503, '1', path]);
      expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(page.text).toContain('The database did not answer in time.');
    }
    // Who asks, and what is on the page.
    expect(answered).toBeGreaterThan(1);
  }
});
