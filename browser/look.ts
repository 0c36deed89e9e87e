import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core';
import { z } from 'zod';

export const limits = {
  /** Of a page with all that it loads, as they came over the wire. */
  bytesMax: 100 * 1024,
  firstPaintMsMax: 1000,
  shiftMax: 0.01,
} as const;

export interface Size {
  readonly name: 'phone' | 'desktop';
  readonly width: number;
  readonly height: number;
}
export const sizes: readonly Size[] = [
  { name: 'phone', width: 390, height: 844 },
  { name: 'desktop', width: 1280, height: 800 },
];
/** The narrowest that WCAG 2.2 asks a page to fit (1.4.10). */
const narrowest = 320;

export const schemes = ['light', 'dark'] as const;
export type Scheme = (typeof schemes)[number];

/** The signed-in state of somebody: their cookies, as a context takes them. */
export type State = Awaited<ReturnType<BrowserContext['storageState']>>;

export const inPageFile = fileURLToPath(new URL('./in-page.mjs', import.meta.url));
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const axeTags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

const figures = z.object({
  title: z.string(),
  language: z.string(),
  headings: z.number(),
  mains: z.number(),
  viewport: z.string(),
  firstPaintMs: z.number().nullable(),
  shift: z.number(),
  tooWide: z.array(z.string()).nullable(),
  brokenImages: z.array(z.string()),
});
const violations = z.array(
  z.object({
    id: z.string(),
    help: z.string(),
    nodes: z.array(z.object({ target: z.array(z.unknown()), failureSummary: z.string().optional() })),
  }),
);
const axeAnswer = z.object({ violations, passes: z.number(), version: z.string() });
const focus = z
  .object({ key: z.union([z.string(), z.number()]), name: z.string(), isSeen: z.boolean(), why: z.string() })
  .nullable();
const expected = z.array(z.tuple([z.union([z.string(), z.number()]), z.string()]));
const offers = z.object({
  headings: z.array(z.string()),
  links: z.array(z.string()),
  fields: z.array(z.string()),
  buttons: z.array(z.string()),
});
export type Offers = z.infer<typeof offers>;

export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the document that is open now was answered with. */
  status(): number;
  /** Bytes that came over the wire for the document that is open now, with all that it loaded. */
  bytes(): number;
  /** What the console said of errors since this was last asked, refusals of a page's own security policy among them. */
  complaints(): string[];
  close(): Promise<void>;
}

export interface VisitOptions {
  readonly size: Size;
  readonly scheme?: Scheme;
  readonly state?: State | undefined;
  readonly hasScripts?: boolean;
}

/** A browser of its own, as of somebody who comes for the first time: nothing is cached. */
export async function openContext(browser: Browser, options: VisitOptions): Promise<BrowserContext> {
  const { size, scheme = 'light', state, hasScripts = true } = options;
  const context = await browser.newContext({
    viewport: { width: size.width, height: size.height },
    deviceScaleFactor: 1,
    isMobile: size.name === 'phone',
    hasTouch: size.name === 'phone',
    colorScheme: scheme,
    reducedMotion: 'no-preference',
    javaScriptEnabled: hasScripts,
    locale: 'en-SG',
    ...(state === undefined ? {} : { storageState: state }),
  });
  await context.addInitScript({ path: inPageFile });
  context.setDefaultTimeout(15_000);
  return context;
}

export async function visit(browser: Browser, url: string, options: VisitOptions): Promise<Visit> {
  const context = await openContext(browser, options);
  try {
    const visited = await openPage(context);
    await visited.page.goto(url, { waitUntil: 'load' });
    return visited;
  } catch (error) {
    await context.close();
    throw error;
  }
}

/** A page that is watched from its first request on. Nothing is cached: each weighs what it does on a first visit. */
export async function openPage(context: BrowserContext): Promise<Visit> {
  const page = await context.newPage();
  let status = 0;
  page.on('response', (response) => {
    const request = response.request();
    if (request.isNavigationRequest() && request.frame() === page.mainFrame()) status = response.status();
  });
  const complaints = complaintsOf(page);
  const bytes = await countBytes(await context.newCDPSession(page));
  return {
    page,
    context,
    status: () => status,
    bytes,
    complaints: () => complaints.splice(0),
    close: () => context.close(),
  };
}

function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  return complaints;
}

async function countBytes(session: CDPSession): Promise<() => number> {
  let bytes = 0;
  session.on('Network.requestWillBeSent', ({ type, requestId, loaderId }) => {
    if (type === 'Document' && requestId === loaderId) bytes = 0;
  });
  session.on('Network.loadingFinished', (event) => {
    bytes += event.encodedDataLength;
  });
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  return () => bytes;
}

export interface Looked {
  readonly faults: readonly string[];
  readonly bytes: number;
  readonly firstPaintMs: number | undefined;
  readonly shift: number;
  /** Rules of axe that the page kept; none would mean that it was not run. */
  readonly rulesKept: number;
}

/** Judges a page that is open: its weight, its first paint, whether it moved or is too wide, and what axe finds. */
export async function look(visited: Visit, status = 200): Promise<Looked> {
  const { page } = visited;
  const faults: string[] = [];
  await page.evaluate('airtimeLook.settle()');
  const told = figures.parse(await page.evaluate('airtimeLook.figures()'));
  const bytes = visited.bytes();
  if (visited.status() !== status) faults.push(`it answered ${visited.status()}, not ${status}`);
  // A page that says 404 is told of on the console; that is what was asked for.
  const unexpected = visited.complaints().filter((one) => status < 400 || !one.includes(String(status)));
  for (const one of unexpected) faults.push(`the console says: ${one.slice(0, 300)}`);
  if (bytes > limits.bytesMax)
    faults.push(`${Math.ceil(bytes / 1024)} KB came over the wire, ${limits.bytesMax / 1024} at most`);
  if (bytes === 0) faults.push('nothing came over the wire: the weight was not measured');
  if (told.firstPaintMs === null) faults.push('nothing was painted');
  if (told.shift > limits.shiftMax)
    faults.push(`the layout shifted by ${told.shift.toFixed(3)}, ${limits.shiftMax} at most`);
  if (told.tooWide !== null) faults.push(`it scrolls sideways: ${told.tooWide.join(', ')}`);
  if (told.title.trim() === '') faults.push('it has no title');
  if (told.language === '') faults.push('it does not say its language');
  if (told.headings !== 1) faults.push(`it has ${told.headings} headings of the first level`);
  if (told.mains !== 1) faults.push(`it has ${told.mains} main parts`);
  if (!/width=device-width/.test(told.viewport)) faults.push('it does not take the width of its device');
  if (/user-scalable=no|maximum-scale=1(\.0)?\b/.test(told.viewport)) faults.push('it cannot be zoomed');
  for (const one of told.brokenImages) faults.push(`an image is broken: ${one}`);
  const judged = await axe(page);
  return {
    faults: [...faults, ...judged.faults],
    bytes,
    firstPaintMs: told.firstPaintMs ?? undefined,
    shift: told.shift,
    rulesKept: judged.rulesKept,
  };
}

/** Run through the debugger, which the page's own security policy has no say in. */
export async function axe(page: Page): Promise<{ faults: string[]; rulesKept: number }> {
  await page.evaluate(axeSource);
  const answer = axeAnswer.parse(
    await page.evaluate(
      `axe.run(document, { runOnly: { type: 'tag', values: ${JSON.stringify(axeTags)} }, resultTypes: ['violations'] })
        .then(({ violations, passes, testEngine }) => ({ violations, passes: passes.length, version: testEngine.version }))`,
    ),
  );
  return {
    faults: answer.violations.flatMap(({ id, help, nodes }) =>
      nodes.slice(0, 3).map((node) => `axe ${id}: ${help}: ${node.target.map(String).join(' ')}`),
    ),
    rulesKept: answer.passes,
  };
}

/** Whether the page fits the narrowest screen without scrolling sideways. */
export async function fitsNarrow(page: Page): Promise<string[]> {
  const before = page.viewportSize();
  await page.setViewportSize({ width: narrowest, height: 640 });
  const { tooWide } = figures.parse(await page.evaluate('airtimeLook.figures()'));
  if (before) await page.setViewportSize(before);
  return tooWide === null ? [] : [`at ${narrowest} pixels it scrolls sideways: ${tooWide.join(', ')}`];
}

const tabsMax = 400;

/** Goes through the page with the tab key alone: every control is reached, and the focus is seen on each. */
export async function tabThrough(page: Page): Promise<string[]> {
  const wanted = new Map(expected.parse(await page.evaluate('airtimeLook.expected()')));
  const faults: string[] = [];
  await page.evaluate('document.activeElement?.blur(); window.scrollTo(0, 0)');
  const reached = new Set<string | number>();
  for (let tabs = 0; tabs < Math.min(tabsMax, wanted.size * 2 + 10); tabs += 1) {
    await page.keyboard.press('Tab');
    const at = focus.parse(await page.evaluate('airtimeLook.focused()'));
    // From the last control the focus leaves the page.
    if (at === null || reached.has(at.key)) {
      if (reached.size >= wanted.size || at === null) break;
      continue;
    }
    reached.add(at.key);
    if (!at.isSeen) faults.push(`the focus is not seen on ${at.name}: ${at.why}`);
  }
  for (const [key, name] of wanted) if (!reached.has(key)) faults.push(`the tab key does not reach ${name}`);
  return faults;
}

export async function offersOf(page: Page): Promise<Offers> {
  return offers.parse(await page.evaluate('airtimeLook.offers()'));
}

/** What a page without scripts lacks of the page with them. */
export function lacking(withScripts: Offers, without: Offers): string[] {
  return (['headings', 'links', 'fields', 'buttons'] as const).flatMap((kind) =>
    withScripts[kind]
      .filter((one) => !without[kind].includes(one))
      .map((one) => `without scripts ${kind} lack "${one}"`),
  );
}
