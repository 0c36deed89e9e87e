import type { Browser, BrowserContext, Page } from 'playwright-core';
import { type Gallery, openGallery } from './gallery.ts';
import {
  axe,
  fitsNarrow,
  lacking,
  limits,
  look,
  offersOf,
  openContext,
  type Scheme,
  type Size,
  type State,
  schemes,
  tabThrough,
  type Visit,
  visit,
} from './look.ts';
import type { Asked } from './routes.ts';
import type { Screen, Who } from './screens.ts';
import type { World } from './world.ts';

/** What was seen of one page in one size. */
export interface Seen {
  readonly screen: string;
  readonly size: string;
  readonly bytes: number;
  readonly firstPaintMs: number;
  readonly shift: number;
  /** Rules of axe that it kept, light and dark together. */
  readonly rulesKept: number;
  /** A file, or a part of a page for a script: it has nothing that could be looked at. */
  readonly isPart: boolean;
  readonly faults: readonly string[];
}

/** What is wrong with what was seen. A page of which axe kept no rule was not judged, however it was come to. */
export function faultsIn(seen: readonly Seen[]): string[] {
  return seen.flatMap(({ screen, size, isPart, rulesKept, faults }) =>
    [...(rulesKept === 0 && !isPart ? ['axe judged nothing of it'] : []), ...faults].map(
      (fault) => `${screen}, ${size}: ${fault}`,
    ),
  );
}

export interface Walk {
  readonly browser: Browser;
  readonly url: string;
  readonly gallery: Gallery;
  /** All that any browser of this walk asked of the server. */
  readonly asked: Asked[];
  readonly seen: Seen[];
  readonly states: Map<Who, State>;
}

export function beginWalk(browser: Browser, url: string): Walk {
  return { browser, url, gallery: openGallery(), asked: [], seen: [], states: new Map() };
}

/** Writes down where a browser goes: pages, forms, and what scripts ask for. */
export function follow(walk: Walk, context: BrowserContext): void {
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin === new URL(walk.url).origin) walk.asked.push({ method: request.method(), path: url.pathname });
  });
}

const paintTries = 3;

/** A page with all that is asked of it: both colours, the keyboard, the narrowest screen, and without scripts. */
export async function lookAt(
  walk: Walk,
  screen: Screen,
  world: World,
  size: Size,
  options: { schemes: readonly Scheme[]; withoutScripts: boolean },
): Promise<void> {
  const path = screen.path(world);
  const state = walk.states.get(screen.as);
  if (screen.isPart || screen.isDownload) return askFor(walk, screen, path, state, size);
  const [first = 'light'] = options.schemes;
  const open = () => visit(walk.browser, walk.url + path, { size, scheme: first, state });
  const visited = await open();
  try {
    walk.asked.push({ method: 'GET', path: path.split('?')[0] ?? path });
    const judged = await judge(walk, visited, screen.name, size, options.schemes, screen.status ?? 200);
    const faults = [...judged.faults];
    if (options.withoutScripts && !screen.needsScript)
      faults.push(...(await sameWithoutScripts(walk, visited, size, state)));
    const firstPaintMs = await bestPaint(judged.firstPaintMs, open);
    if (firstPaintMs > limits.firstPaintMsMax)
      faults.push(`the first paint took ${Math.round(firstPaintMs)} ms, ${limits.firstPaintMsMax} at most`);
    walk.seen.push({ ...judged, firstPaintMs, faults });
  } finally {
    await visited.close();
  }
}

/** All that is asked of a page that is open, however one came to it. */
async function judge(
  walk: Walk,
  visited: Visit,
  screen: string,
  size: Size,
  [first = 'light', ...others]: readonly Scheme[],
  status: number,
): Promise<Seen> {
  const { page } = visited;
  const looked = await look(visited, status);
  const faults = [...looked.faults];
  let rulesKept = looked.rulesKept;
  await walk.gallery.take(page, screen, `${size.name}-${first}`);
  for (const scheme of others) {
    await paint(page, scheme);
    const judged = await axe(page);
    faults.push(...judged.faults.map((one) => `${scheme}: ${one}`));
    rulesKept += judged.rulesKept;
    await walk.gallery.take(page, screen, `${size.name}-${scheme}`);
  }
  faults.push(...(await tabThrough(page)));
  if (size.name === 'phone') faults.push(...(await fitsNarrow(page)));
  const { bytes, shift, firstPaintMs = Number.POSITIVE_INFINITY } = looked;
  return { screen, size: size.name, bytes, shift, firstPaintMs, rulesKept, isPart: false, faults };
}

/** A machine that is busy with something else may paint late once: the best of a few counts. */
async function bestPaint(first: number, open: () => Promise<Visit>): Promise<number> {
  let best = first;
  for (let more = 1; more < paintTries && best > limits.firstPaintMsMax; more += 1) {
    const visited = await open();
    best = Math.min(best, (await look(visited, visited.status())).firstPaintMs ?? best);
    await visited.close();
  }
  return best;
}

async function sameWithoutScripts(walk: Walk, visited: Visit, size: Size, state: State | undefined): Promise<string[]> {
  const offered = await offersOf(visited.page);
  const without = await visit(walk.browser, visited.page.url(), { size, state, hasScripts: false });
  try {
    return lacking(offered, await offersOf(without.page));
  } finally {
    await without.close();
  }
}

/** What is no page of its own is asked for as the person would have it. */
async function askFor(walk: Walk, screen: Screen, path: string, state: State | undefined, size: Size): Promise<void> {
  const context = await openContext(walk.browser, { size, state });
  try {
    const answer = await context.request.get(walk.url + path);
    walk.asked.push({ method: 'GET', path: path.split('?')[0] ?? path });
    const bytes = (await answer.body()).length;
    const faults = [
      ...(answer.status() === (screen.status ?? 200) ? [] : [`it answered ${answer.status()}`]),
      ...(bytes > 0 && bytes <= limits.bytesMax ? [] : [`it has ${bytes} bytes`]),
      ...(screen.isDownload && !/^attachment/.test(answer.headers()['content-disposition'] ?? '')
        ? ['it is shown, not downloaded']
        : []),
    ];
    const nothing = { shift: 0, rulesKept: 0, firstPaintMs: 0 };
    walk.seen.push({ screen: screen.name, size: size.name, bytes, ...nothing, isPart: true, faults });
  } finally {
    await context.close();
  }
}

/** Changes the colours and waits until the last of them has got there: they change over a moment. */
async function paint(page: Page, scheme: Scheme): Promise<void> {
  await page.emulateMedia({ colorScheme: scheme });
  await page.waitForTimeout(200);
}

/**
 * A page that was clicked to, as it stands: looked at where a person is in the middle of something. Its first paint is told
 * and not judged, for what was sent is done in that time.
 */
export async function lookHere(walk: Walk, visited: Visit, name: string, size: Size, status = 200): Promise<void> {
  const { page } = visited;
  await page.waitForLoadState('load');
  walk.seen.push(await judge(walk, visited, name, size, schemes, status));
  await page.emulateMedia({ colorScheme: 'light' });
}
