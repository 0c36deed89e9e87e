/**
 * `npx tsx browser/main.ts [--short] [--when-at-hand]` walks every page in headless Chromium, on a real server with a
 * database of its own. With `--when-at-hand` it says NOT RUN and ends well where there is no Chromium.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { routes } from '../surfaces/portal/routes.ts';
import { findChromium, isNamed, openChromium, remedyFor } from './chromium.ts';
import { galleryDirectory } from './gallery.ts';
import {
  type Journey,
  manage,
  signIn,
  signInByLink,
  signInToDesk,
  signInToDeskByLink,
  signUp,
  talkAtDesk,
} from './journeys.ts';
import { schemes, sizes } from './look.ts';
import { notWalked } from './routes.ts';
import { type Screen, screens } from './screens.ts';
import { startServer } from './server.ts';
import { beginWalk, faultsIn, lookAt, type Seen, type Walk } from './walk.ts';
import { makeWorld } from './world.ts';

const { values: given } = parseArgs({
  options: { short: { type: 'boolean', default: false }, 'when-at-hand': { type: 'boolean', default: false } },
});

/** The short form looks at one page of so many, and does not ask that each was gone to. */
const shortStep = 5;
const signUpSecondsMax = 120;
const historyDays = 20;

async function main(): Promise<number> {
  const program = findChromium(process.env);
  if (program === undefined) {
    // Only a machine without a browser is passed over: one that was named and is not there is a mistake.
    if (given['when-at-hand'] && !isNamed(process.env)) {
      console.log(`make browser: NOT RUN. ${remedyFor(process.env)}`);
      return 0;
    }
    console.error(remedyFor(process.env));
    return 1;
  }
  if (!existsSync(fileURLToPath(new URL('../dist/airtime.js', import.meta.url)))) {
    console.error('There is no dist/airtime.js. Type make build, then make browser again.');
    return 1;
  }
  const began = performance.now();
  const server = await startServer({ historyDays });
  const browser = await openChromium(program);
  const problems: string[] = [];
  try {
    const said = (what: string) =>
      console.log(`${String(Math.round((performance.now() - began) / 1000)).padStart(4)} s  ${what}`);
    const walk = beginWalk(browser, server.url);
    const world = await makeWorld(server, given.short ? 4 : historyDays - 2);
    const [phone, desktop] = sizes;
    if (!phone || !desktop) throw new Error('there are no sizes');
    const journey: Journey = { walk, server, world, size: phone };
    const walked = async (name: string, work: () => Promise<void>) => {
      try {
        await work();
      } catch (error) {
        problems.push(
          `${name}: ${error instanceof Error ? error.message.split('\n').slice(0, 4).join(' ') : String(error)}`,
        );
      }
    };
    said('a server with a business of some weeks');
    await walked('signing in', () => signIn(journey));
    await walked('signing in at the desk', () => signInToDesk(journey));
    const shown = given.short ? screens.filter((_, index) => index % shortStep === 0) : screens;
    for (const [index, screen] of shown.entries()) {
      // The short form looks once: on a phone in the light, and on a desktop in the dark, by turns.
      const few = index % 2 === 0 ? ([phone, 'light'] as const) : ([desktop, 'dark'] as const);
      for (const size of given.short ? [few[0]] : sizes) {
        const looks = given.short
          ? { schemes: [few[1]], withoutScripts: index % 4 === 0 }
          : { schemes, withoutScripts: true };
        await walked(`${screen.name}, ${size.name}`, () => lookAt(walk, screen, world, size, looks));
      }
    }
    said('every page was looked at');
    const paths = given.short
      ? [[phone, true] as const]
      : ([
          [phone, true],
          [desktop, true],
          [desktop, false],
        ] as const);
    for (const [size, hasScripts] of paths) {
      const name = `from plans to a live line, ${size.name}${hasScripts ? '' : ', without scripts'}`;
      await walked(name, async () => {
        const { seconds, bills, outages, sentAgain } = await signUp({ ...journey, size }, hasScripts);
        said(
          `${name}: ${seconds.toFixed(1)} s, declined once, network lost ${outages} times, paid for ${sentAgain} times, receipts: ${bills}`,
        );
        if (seconds > signUpSecondsMax) throw new Error(`it took ${seconds.toFixed(0)} s, ${signUpSecondsMax} at most`);
        if (bills !== 1) throw new Error(`there are ${bills} receipts, and one was bought`);
      });
    }
    if (!given.short) {
      await walked('managing a line', () => manage({ ...journey, size: desktop }));
      await walked('talking at the desk', () => talkAtDesk({ ...journey, size: desktop }));
      await walked('signing in by a link', () => signInByLink({ ...journey, size: desktop }, world.ada.email));
      await walked('signing in at the desk by a link', () => signInToDeskByLink({ ...journey, size: desktop }));
    }
    problems.push(...report(walk, shown, !given.short));
    problems.push(...defectsIn(server.log()).map((line) => `the server logged: ${line}`));
    const pictures = walk.gallery.close();
    console.log(`\n${pictures} pictures in ${galleryDirectory}; open index.html there.`);
  } finally {
    await browser.close();
    await server.stop();
  }
  console.log(`${Math.round((performance.now() - began) / 1000)} s in all.`);
  if (problems.length > 0)
    console.log(`\n${problems.length} problems:\n${problems.map((one) => `  ${one}`).join('\n')}`);
  return problems.length === 0 ? 0 : 1;
}

/** What was seen, as a table. @returns what is wrong with it. */
function report({ seen, asked }: Walk, shown: readonly Screen[], isWhole: boolean): string[] {
  const names = [...new Set(seen.map(({ screen }) => screen))];
  const wide = Math.max(...names.map((name) => name.length));
  console.log(`${'page'.padEnd(wide)}  looks  KB most  paint ms  shift  axe rules  faults`);
  for (const name of names) {
    const looks = seen.filter(({ screen }) => screen === name);
    const most = (pick: (one: Seen) => number) => Math.max(...looks.map(pick));
    console.log(
      [
        name.padEnd(wide),
        String(looks.length).padStart(5),
        (most(({ bytes }) => bytes) / 1024).toFixed(1).padStart(7),
        Math.round(most(({ firstPaintMs }) => firstPaintMs))
          .toString()
          .padStart(8),
        most(({ shift }) => shift)
          .toFixed(3)
          .padStart(5),
        String(looks.reduce((sum, { rulesKept }) => sum + rulesKept, 0)).padStart(9),
        String(looks.reduce((sum, { faults }) => sum + faults.length, 0)).padStart(6),
      ].join('  '),
    );
  }
  const missing = notWalked(routes, asked);
  console.log(`\n${routes.length - missing.length} of ${routes.length} routes walked, ${seen.length} looks.`);
  return [
    ...(isWhole ? missing.map(({ method, path }) => `nobody went to ${method} ${path}`) : []),
    ...shown.filter(({ name }) => !names.includes(name)).map(({ name }) => `${name} was not looked at`),
    ...faultsIn(seen),
  ];
}

/** What the server logged as a failure of its own, each once. */
function defectsIn(log: string): string[] {
  const failed = log.split('\n').filter((line) => line.includes('"level":"error"') || line.includes('"level":"fatal"'));
  return [...new Set(failed.map((line) => line.slice(0, 400)))].slice(0, 20);
}

process.exitCode = await main();
