import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runProgram } from '../app/testing-process.ts';
import { findChromium, isNamed, openChromium, remedyFor } from './chromium.ts';
import { fitsNarrow, lacking, look, offersOf, openContext, openPage, sizes, tabThrough, visit } from './look.ts';
import { notWalked, routeOf } from './routes.ts';
import { faultsIn, lookAt, lookHere, type Seen, type Walk } from './walk.ts';

// What make browser looks for is planted here, one fault in each page, and has to be found; a page without one is not blamed.

const program = findChromium(process.env);
const [phone] = sizes;
if (!phone) throw new Error('there are no sizes');

const page = (body: string, head = '') =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A page</title><link rel="icon" href="data:,">${head}</head><body><main><h1>A page</h1>${body}</main></body></html>`;

const square = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7';
const fields = '<p><a href="/">A link</a></p><p><label>Name <input name="name"></label> <button>Send</button></p>';

/** Each fault, with a word of what has to be said of it. */
const planted: Readonly<Record<string, { html: string; said: RegExp }>> = {
  'an image without alt': { html: page(`<img src="${square}" width="9" height="9">`), said: /axe image-alt/ },
  'a field without a label': { html: page('<form><input name="mail"></form>'), said: /axe label/ },
  'a colour that cannot be read': {
    html: page('<p style="color:#bbb;background:#fff">Hardly there</p>'),
    said: /axe color-contrast/,
  },
  'a page of 200 KB': { html: page(`<!--${'x'.repeat(200 * 1024)}-->`), said: /KB came over the wire/ },
  'a part that is too wide': { html: page('<div style="width:900px">Wide</div>'), said: /scrolls sideways/ },
  'a part that comes late and pushes the rest down': {
    html: page(`<p id="a">First</p><p style="height:300px">Second</p>
      <script>const later = () => performance.getEntriesByName('first-contentful-paint').length === 0
        ? setTimeout(later, 20) : setTimeout(() => { a.style.height = '300px'; document.title = 'Moved'; }, 100); later();</script>`),
    said: /layout shifted/,
  },
  'no title': { html: page('').replace('A page', ''), said: /no title/ },
  'two main parts': { html: page('').replace('<main>', '<main></main><main>'), said: /2 main parts/ },
  'a width that is not its device’s': {
    html: page('').replace('width=device-width', 'width=980'),
    said: /width of its device/,
  },
  'no language': { html: page('').replace(' lang="en"', ''), said: /language/ },
  'two headings of the first level': { html: page('<h1>Another</h1>'), said: /2 headings/ },
  'an image that is not there': {
    html: page('<img src="/nothing.png" alt="Nothing">'),
    said: /image is broken|console says/,
  },
  'a script that fails': { html: page('<script>nowhere()</script>'), said: /console says: nowhere/ },
  'a script that its own policy forbids': { html: page('<script>var allowed</script>'), said: /console says/ },
  'a page that cannot be zoomed': {
    html: page('').replace('initial-scale=1', 'initial-scale=1, user-scalable=no'),
    said: /cannot be zoomed/,
  },
  'an answer that failed': { html: page('<p>fails</p>'), said: /answered 500/ },
};

const keyboard: Readonly<Record<string, { html: string; said: RegExp }>> = {
  'a focus that is not seen': {
    html: page(`${fields}<style>button:focus{outline:none}</style>`),
    said: /not seen on button/,
  },
  'a focus that is covered': {
    html: page(`${fields}<div style="position:fixed;inset:0;background:#fff"></div>`),
    said: /lies over it/,
  },
  'a control that tab does not reach': {
    html: page(
      `${fields}<script>document.querySelector('input').onkeydown = (e) => { if (e.key === 'Tab') e.preventDefault(); }</script>`,
    ),
    said: /does not reach button/,
  },
};

describe.skipIf(program === undefined)('a page in a browser', () => {
  let server: Server;
  let url: string;
  let browser: Browser;
  let served = '';

  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/slow')
        return setTimeout(() => response.setHeader('Content-Type', 'text/html').end(served), 1200);
      if (request.url !== '/') return response.writeHead(404).end();
      const isForbidden = served.includes('var allowed');
      return response
        .writeHead(served.includes('fails') ? 500 : 200, {
          'Content-Type': 'text/html; charset=utf-8',
          ...(isForbidden ? { 'Content-Security-Policy': "default-src 'none'" } : {}),
        })
        .end(served);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port is free');
    url = `http://127.0.0.1:${address.port}/`;
    browser = await openChromium(program ?? '');
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  const open = (html: string, hasScripts = true) => {
    served = html;
    return visit(browser, url, { size: phone, hasScripts });
  };

  test('that is well is not blamed', async () => {
    const visited = await open(page(fields));
    const { faults, rulesKept, bytes, firstPaintMs } = await look(visited);
    expect([...faults, ...(await tabThrough(visited.page)), ...(await fitsNarrow(visited.page))]).toEqual([]);
    expect(rulesKept).toBeGreaterThan(5);
    expect(bytes).toBeGreaterThan(100);
    expect(firstPaintMs).toBeGreaterThan(0);
    await visited.close();
  });

  test.each(Object.entries(planted))('with %s is found', async (name, { html, said }) => {
    const visited = await open(html);
    if (name.includes('late')) await visited.page.waitForFunction(`document.title === 'Moved'`);
    const { faults } = await look(visited);
    expect(faults.join('\n')).toMatch(said);
    await visited.close();
  });

  test.each(Object.entries(keyboard))('with %s is found by the keyboard', async (_, { html, said }) => {
    const visited = await open(html);
    expect((await tabThrough(visited.page)).join('\n')).toMatch(said);
    await visited.close();
  });

  /** A walk that keeps what it saw and no pictures. */
  const walkOf = (): Walk => ({
    browser,
    url: url.slice(0, -1),
    gallery: { take: async () => undefined, close: () => 0 },
    asked: [],
    seen: [],
    states: new Map(),
  });

  test('that is painted late is found', async () => {
    served = page(fields);
    const walk = walkOf();
    const screen = { name: 'slow', as: 'visitor', path: () => '/slow' } as const;
    const world = { ada: { customerId: '', email: '', line: '', msisdn: '' }, ben: { customerId: '', line: '' } };
    const ids = { order: '', declinedOrder: '', bill: '', ticket: '' };
    await lookAt(walk, screen, { ...world, ...ids }, phone, { schemes: ['light'], withoutScripts: true });
    expect(faultsIn(walk.seen)).toEqual([expect.stringMatching(/the first paint took 1\d\d\d ms/)]);
  });

  describe('that was clicked to', () => {
    /** Comes from a page without a fault, by a click. */
    const clickedTo = async (html: string, status = 200): Promise<string> => {
      served = page('<p><a href="/">Go on</a></p>');
      const context = await openContext(browser, { size: phone });
      const visited = await openPage(context);
      const walk = walkOf();
      await visited.page.goto(url);
      served = html;
      await visited.page.getByRole('link').click();
      if (html.includes('Moved')) await visited.page.waitForFunction(`document.title === 'Moved'`);
      await lookHere(walk, visited, 'clicked', phone, status);
      await visited.close();
      return faultsIn(walk.seen).join('\n');
    };

    test('and is well is not blamed, and what it answers is asked for', async () => {
      expect(await clickedTo(page(fields))).toBe('');
      expect(await clickedTo(page(`${fields}<p>fails</p>`), 500)).toBe('');
    });
    // All that is asked of a page is asked at one place: one of each way of asking is enough here.
    const some = [
      'a page of 200 KB',
      'a part that comes late and pushes the rest down',
      'a script that fails',
      'a field without a label',
    ];
    const faults = [
      ...Object.entries(planted).filter(([name]) => some.includes(name)),
      ...Object.entries(keyboard).slice(0, 1),
    ];
    test.each(faults)('with %s is found', async (_, { html, said }) => {
      expect(await clickedTo(html)).toMatch(said);
    });
    test('and does not fit the narrowest screen is found', async () => {
      expect(await clickedTo(page('<div style="width:350px">Almost</div>'))).toMatch(/at 320 pixels/);
    });
  });

  test('that fits a phone and not the narrowest screen is found', async () => {
    const visited = await open(page('<div style="width:350px">Almost</div>'));
    expect((await fitsNarrow(visited.page)).join('\n')).toMatch(/at 320 pixels/);
    await visited.close();
  });

  test('that needs its scripts is found, and one that does not is not', async () => {
    const compared = async (html: string) => {
      const [withScripts, without] = [await open(html), await open(html, false)];
      const lack = lacking(await offersOf(withScripts.page), await offersOf(without.page));
      await Promise.all([withScripts.close(), without.close()]);
      return lack;
    };
    expect(await compared(page(fields))).toEqual([]);
    const made = page('<script>document.querySelector("main").innerHTML += "<button>Buy</button>"</script>');
    expect((await compared(made)).join('\n')).toMatch(/buttons lack "Buy"/);
  });
});

test('a page of which axe kept no rule was not judged, however one came to it; a part of a page is none', () => {
  const seen: Seen = {
    screen: 'a',
    size: 'phone',
    bytes: 1,
    shift: 0,
    firstPaintMs: 0,
    rulesKept: 0,
    isPart: false,
    faults: [],
  };
  expect(faultsIn([seen])).toEqual(['a, phone: axe judged nothing of it']);
  expect(
    faultsIn([
      { ...seen, isPart: true },
      { ...seen, rulesKept: 9 },
    ]),
  ).toEqual([]);
});

describe('routes', () => {
  const routes = [
    { method: 'GET', path: '/account/lines/:id' },
    { method: 'GET', path: '/account/lines/new' },
    { method: 'POST', path: '/account/lines/:id' },
  ];

  test('that nobody went to are found', () => {
    const walked = [{ method: 'GET', path: '/account/lines/sub_1' }];
    expect(notWalked(routes, walked).map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /account/lines/new',
      'POST /account/lines/:id',
    ]);
    expect(notWalked(routes, [...walked, { method: 'GET', path: '/account/lines/new' }])).toHaveLength(1);
  });

  test('that are spelled out come before those with a place', () => {
    expect(routeOf(routes, { method: 'GET', path: '/account/lines/new' })?.path).toBe('/account/lines/new');
    expect(routeOf(routes, { method: 'GET', path: '/elsewhere' })).toBeUndefined();
  });
});

describe('the browser', () => {
  test('that was named and is not there is a mistake, also where a missing one is passed over', async () => {
    const args = ['--import', 'tsx', 'browser/main.ts', '--short', '--when-at-hand'];
    const root = fileURLToPath(new URL('..', import.meta.url));
    const play = (more: Record<string, string>) =>
      runProgram(process.execPath, args, { cwd: root, env: { PATH: '/nowhere', HOME: root, ...more } });
    expect(await play({ AIRTIME_CHROMIUM: '/nowhere/chromium' })).toMatchObject({
      code: 1,
      error: expect.stringContaining('/nowhere/chromium'),
    });
    expect(await play({})).toMatchObject({ code: 0, out: expect.stringContaining('NOT RUN') });
  });

  test('is one that is there and may be run, or none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'airtime-path-'));
    try {
      expect(findChromium({ PATH: folder })).toBeUndefined();
      writeFileSync(join(folder, 'chromium'), '', { mode: 0o600 });
      expect(findChromium({ PATH: folder })).toBeUndefined();
      writeFileSync(join(folder, 'google-chrome'), '', { mode: 0o700 });
      expect(findChromium({ PATH: folder })).toBe(join(folder, 'google-chrome'));
      const named = { PATH: folder, AIRTIME_CHROMIUM: join(folder, 'chromium') };
      expect(findChromium(named)).toBeUndefined();
      expect([isNamed(named), isNamed({ PATH: folder }), isNamed({ AIRTIME_CHROMIUM: '' })]).toEqual([
        true,
        false,
        false,
      ]);
      expect(remedyFor(named)).toContain(named.AIRTIME_CHROMIUM);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
