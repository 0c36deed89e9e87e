import type { BrowserContext, Page } from 'playwright-core';
import { openContext, openPage, type Size, type Visit } from './look.ts';
import type { BrowsedServer } from './server.ts';
import { follow, lookHere, type Walk } from './walk.ts';
import { mailOf, type World } from './world.ts';

/** What a person does, click by click. Buttons and fields are found by what they say. */
export interface Journey {
  readonly walk: Walk;
  readonly server: BrowsedServer;
  readonly world: World;
  readonly size: Size;
}

const press = (page: Page, name: string | RegExp) =>
  page
    .getByRole('button', { name, exact: typeof name === 'string' })
    .first()
    .click();
const go = (page: Page, name: string | RegExp) =>
  page
    .getByRole('link', { name, exact: typeof name === 'string' })
    .first()
    .click();
const fill = (page: Page, label: string | RegExp, text: string) => page.getByLabel(label).first().fill(text);

async function opened(
  journey: Journey,
  options: { as?: 'customer' | 'operator'; hasScripts?: boolean } = {},
): Promise<{ context: BrowserContext; page: Page; visited: Visit }> {
  const { walk, size } = journey;
  const state = options.as === undefined ? undefined : walk.states.get(options.as);
  const context = await openContext(walk.browser, { size, state, hasScripts: options.hasScripts ?? true });
  follow(walk, context);
  const visited = await openPage(context);
  return { context, page: visited.page, visited };
}

/** Signs Ada in by the code of her mail, and keeps what her browser then holds. */
export async function signIn(journey: Journey): Promise<void> {
  const { walk, server, world } = journey;
  const { context, page, visited } = await opened(journey);
  const mail = mailOf(server, world.ada.email);
  const before = await mail.keys();
  await page.goto(`${walk.url}/sign-in`);
  await press(page, 'Mail me a code');
  await lookHere(walk, visited, 'sign-in, nothing typed', journey.size, 400);
  await fill(page, 'E-mail address', world.ada.email);
  await press(page, 'Mail me a code');
  await lookHere(walk, visited, 'sign-in code', journey.size);
  await fill(page, /Code/, '000000');
  await press(page, 'Sign in');
  await lookHere(walk, visited, 'sign-in, wrong code', journey.size, 422);
  await fill(page, /Code/, await mail.code(before));
  await press(page, 'Sign in');
  await page.waitForURL('**/account');
  walk.states.set('customer', await context.storageState());
  await context.close();
}

/** Another browser of the same person, by the link of the mail; it signs out again. */
export async function signInByLink(journey: Journey, email: string): Promise<void> {
  const { walk, server } = journey;
  const { context, page } = await opened(journey, { hasScripts: false });
  const mail = mailOf(server, email);
  const before = await mail.keys();
  await page.goto(`${walk.url}/sign-in`);
  await fill(page, 'E-mail address', email);
  await press(page, 'Mail me a code');
  await page.goto(walk.url + (await mail.link(before)));
  await press(page, 'Sign in');
  await page.waitForURL('**/account');
  await press(page, 'Sign out');
  await page.waitForURL('**/plans');
  await page.goto(`${walk.url}/account`);
  if (!page.url().includes('/sign-in')) throw new Error('whoever signed out still sees the account');
  await context.close();
}

export async function signInToDesk(journey: Journey): Promise<void> {
  const { walk, server } = journey;
  const { context, page, visited } = await opened(journey);
  await page.goto(`${walk.url}/desk/sign-in`);
  await fill(page, 'Access token', 'air_nothing');
  await press(page, 'Sign in');
  await lookHere(walk, visited, 'desk sign-in, wrong token', journey.size, 422);
  await fill(page, 'Access token', server.token);
  await press(page, 'Sign in');
  await page.waitForURL('**/desk');
  walk.states.set('operator', await context.storageState());
  await context.close();
}

/** By the link that the terminal prints, in a browser of its own; it signs out again. */
export async function signInToDeskByLink(journey: Journey): Promise<void> {
  const { walk, server } = journey;
  const { context, page } = await opened(journey, { hasScripts: false });
  const told = await server.bss(['desk', '--json']);
  const path = /\/desk\/sign-in\?token=[\w-]+/.exec(told)?.[0];
  if (path === undefined) throw new Error(`bss desk printed no link: ${told.slice(0, 200)}`);
  await page.goto(walk.url + path);
  await press(page, 'Sign in here');
  await page.waitForURL('**/desk');
  await press(page, 'Sign out');
  await page.waitForURL('**/desk/sign-in');
  await context.close();
}

/** So long a browser is given to notice that the network is away. */
const lostMsMax = 3000;

export interface SignUpTold {
  readonly seconds: number;
  readonly bills: number;
  /** How often a page did not come because the network was away. */
  readonly outages: number;
  /** How often the same payment reached the server. */
  readonly sentAgain: number;
}

/** Presses a button while the network is away. @returns the outage, for the count; @throws when the page comes all the same */
async function loses(page: Page, button: string): Promise<1> {
  const failed = page.waitForEvent('requestfailed', {
    predicate: (request) => request.isNavigationRequest(),
    timeout: lostMsMax,
  });
  const [request] = await Promise.all([failed, press(page, button).catch(() => undefined)]);
  const why = request.failure()?.errorText ?? '';
  if (!why.includes('ERR_INTERNET_DISCONNECTED')) throw new Error(`the network was not away: ${why}`);
  await page.waitForURL(/chrome-error/, { timeout: lostMsMax });
  return 1;
}

/**
 * From the plans to a live line. The card is declined first, the network is lost while typing, and once more after the
 * card was charged, when the answer does not come back. Nothing is paid twice.
 */
export async function signUp(journey: Journey, hasScripts: boolean): Promise<SignUpTold> {
  const { walk, server, size } = journey;
  const { context, page, visited } = await opened(journey, { hasScripts });
  const email = `new-${size.name}-${hasScripts ? 'scripts' : 'plain'}@browser.example.com`;
  const mail = mailOf(server, email);
  const shown = hasScripts
    ? (name: string, status?: number) => lookHere(walk, visited, name, size, status)
    : async () => undefined;
  let lookedMs = 0;
  const look = async (name: string, status?: number) => {
    const began = performance.now();
    await shown(name, status);
    lookedMs += performance.now() - began;
  };
  const began = performance.now();

  await page.goto(`${walk.url}/plans`);
  await go(page, 'Choose Standard');
  await press(page, 'Choose a number');
  await look('sign-up, nothing typed', 400);
  await fill(page, 'Given name', 'Grace');
  await fill(page, 'Family name', 'Tan');
  await fill(page, 'E-mail address', email);

  // The network is away: the browser says so, and the way back is to go back and send the same once more.
  await context.setOffline(true);
  let outages: number = await loses(page, 'Choose a number');
  await context.setOffline(false);
  await page.goto(`${walk.url}/sign-up?plan=PLAN_M`);
  await fill(page, 'Given name', 'Grace');
  await fill(page, 'Family name', 'Tan');
  await fill(page, 'E-mail address', email);
  await press(page, 'Choose a number');

  await look('sign-up number');
  await go(page, 'Show others');
  await press(page, 'Take this number');
  await look('sign-up card');
  await page
    .getByLabel(/declin/i)
    .first()
    .check();
  const before = await mail.keys();
  await press(page, 'Go on');
  await look('sign-up confirm');
  // Of two letters the newer one has the code that is good.
  await mail.code(before);
  const first = await mail.keys();
  await press(page, 'No mail? Send another code');
  await fill(page, /Code/, await mail.code(first));
  await press(page, /^Pay/);
  await page.getByRole('heading', { name: 'The card was declined' }).waitFor({ timeout: 30_000 });
  await look('sign-up declined');

  // The card is charged, and the answer is lost on its way back: the same form is sent once more, as a person would, and
  // nothing is paid twice.
  await page.getByRole('radio').first().check();
  const answered: number[] = [];
  await page.route('**/sign-up/again', async (route) => {
    const answer = await route.fetch({ maxRedirects: 0 });
    answered.push(answer.status());
    return answered.length === 1 ? route.abort('internetdisconnected') : route.fulfill({ response: answer });
  });
  outages += await loses(page, 'Pay with this card');
  await page.reload();
  await page.waitForURL('**/esim?done=live', { timeout: 60_000 });
  await page.getByRole('img', { name: /eSIM/ }).waitFor();
  await page.getByText(/^LPA:1\$/).waitFor();
  const seconds = (performance.now() - began - lookedMs) / 1000;
  await look('sign-up live');
  await go(page, 'Your line');
  await page.getByRole('link', { name: 'Receipts' }).click();
  const bills = await page.getByRole('table').getByRole('link').count();
  await context.close();
  if (answered.length !== 2 || answered.some((status) => status !== 303))
    throw new Error(`the payment was to be taken twice, and was answered ${answered.join(', ') || 'never'}`);
  return { seconds, bills, outages, sentAgain: answered.length };
}

/** Everything that Ada can do with what is hers. What costs or ends something takes the code of a mail. */
export async function manage(journey: Journey): Promise<void> {
  const { walk, server, world, size } = journey;
  const { context, page, visited } = await opened(journey, { as: 'customer' });
  const mail = mailOf(server, world.ada.email);
  const line = `${walk.url}/account/lines/${world.ada.line}`;
  let known: string[] = [];
  /** What comes from now on is the answer to what is asked next. */
  const asking = async () => {
    known = await mail.keys();
  };
  const confirmed = async (button: string, name?: string) => {
    if (name) await lookHere(walk, visited, name, size);
    await fill(page, /Code/, await mail.code(known));
    await press(page, button);
  };

  await asking();
  await page.goto(`${line}/top-up`);
  await page.getByLabel(/Data 1 GB/).check();
  await press(page, 'Go on');
  await fill(page, /Code/, '000000');
  await press(page, 'Pay and top up');
  await lookHere(walk, visited, 'account confirm, wrong code', size, 422);
  await mail.code(known);
  await asking();
  await press(page, 'No mail? Send another code');
  await confirmed('Pay and top up', 'account confirm');
  await page.waitForURL('**/account/orders/*');
  await page.getByRole('heading', { name: 'Done' }).waitFor({ timeout: 30_000 });
  await lookHere(walk, visited, 'account order done', size);

  await asking();
  await page.goto(`${line}/plan`);
  await press(page, 'Go on');
  await confirmed('Change the plan');
  await page.waitForURL('**done=plan-changed');
  await lookHere(walk, visited, 'account line, plan changed', size);
  await press(page, /^Keep /);
  await page.waitForURL('**done=plan-kept');
  await press(page, /^Switch (on|off)$/);
  await page.waitForURL(/done=roaming/);

  await asking();
  await page.goto(`${line}/end`);
  await press(page, 'Go on');
  await confirmed('End the line', 'account confirm end');
  await page.waitForURL(/done=end/);
  await press(page, 'Keep the line');
  await page.waitForURL('**done=end-withdrawn');

  await asking();
  await page.goto(`${line}/esim`);
  await press(page, 'Replace the eSIM');
  await confirmed('Replace the eSIM');
  await page.waitForURL('**done=esim-replaced');

  await page.goto(`${walk.url}/account/cards`);
  await page.getByRole('radio').nth(1).check();
  await press(page, 'Put it on file');
  await page.waitForURL('**done=card-added');
  await press(page, 'Charge this one');
  await page.waitForURL('**done=card-preferred');
  await asking();
  await press(page, 'Remove');
  await confirmed('Remove the card');
  await page.waitForURL('**done=card-removed');

  await asking();
  await page.goto(`${walk.url}/account/new-line`);
  await press(page, 'Go on');
  await confirmed('Pay and order');
  await page.getByRole('heading', { name: 'Done' }).waitFor({ timeout: 30_000 });

  await asking();
  await page.goto(`${walk.url}/account/details`);
  await fill(page, /phone/i, '+6581234567');
  await press(page, 'Go on');
  await confirmed('Change my details');
  await page.waitForURL('**done=contact-changed');

  await page.goto(`${walk.url}/account/help/new`);
  await press(page, 'Send it');
  await lookHere(walk, visited, 'account new ticket, nothing typed', size, 400);
  await fill(page, 'In a few words', 'A question');
  await fill(page, /What happened/, 'How do I take my number along?');
  await press(page, 'Send it');
  await page.waitForURL('**done=ticket-opened');
  await go(page, /A question/);
  await fill(page, /What else/, 'There is no hurry.');
  await press(page, 'Add it');
  await page.waitForURL('**done=note-added');

  await page.goto(`${walk.url}/account/chat?new=1`);
  await fill(page, 'Your question', `How much data is left on ${world.ada.msisdn}?`);
  await press(page, 'Ask');
  await page.locator('.said.by-assistant:not(.is-waiting)').last().waitFor({ timeout: 30_000 });
  // Come back to: while an answer is written the page grows, and the focus is where one types.
  await page.goto(`${walk.url}/account/chat`);
  await page.locator('.said.by-assistant').last().waitFor();
  await lookHere(walk, visited, 'account chat answered', size);
  await fill(page, 'Your question', `Top up 1 GB on ${world.ada.msisdn} please`);
  await press(page, 'Ask');
  await page.locator('.chat-proposal a').first().waitFor({ timeout: 30_000 });
  await page.locator('.chat-proposal a').first().click();
  await page.waitForURL('**/account/propose**');
  await press(page, 'Go on: mail me the code');
  await page.getByLabel(/Code/).waitFor();
  await context.close();
}

/** The conversation at the desk, and a yes to what it proposes. */
export async function talkAtDesk(journey: Journey): Promise<void> {
  const { walk, world, size } = journey;
  const { context, page, visited } = await opened(journey, { as: 'operator' });
  await page.goto(`${walk.url}/desk/chat`);
  await fill(page, 'Say something', `What is left on the line ${world.ada.msisdn}?`);
  await press(page, 'Say it');
  await page.locator('.said.by-assistant:not(.is-waiting)').last().waitFor({ timeout: 30_000 });
  const conversation = await page.locator('input[name="conversation"]').first().inputValue();
  await page.goto(`${walk.url}/desk/chat?${new URLSearchParams({ conversation })}`);
  await page.locator('.said.by-assistant').last().waitFor();
  await lookHere(walk, visited, 'desk chat answered', size);
  const input = JSON.stringify({ subscriptionId: world.ada.line, offering: 'VAS_SMS_100' });
  await page.goto(`${walk.url}/desk/confirm?${new URLSearchParams({ tool: 'subscription.top_up', arguments: input })}`);
  await press(page, 'Go on');
  await press(page, 'Yes, charge it');
  await page.waitForURL('**/desk/done');
  await context.close();
}
