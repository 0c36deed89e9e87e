import { request } from 'node:http';
import { execute } from '../../policy/core/command.ts';
import { createAccessToken } from '../../policy/identity/access-token.ts';
import type { Answer, HostileWorld, Somebody } from '../hostile/world.ts';
import { operator } from '../house.ts';

export interface PageAnswer extends Answer {
  readonly location: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A browser without a screen: it keeps the one cookie, and sends forms with the token of the page it saw last. */
export class Person {
  cookie: string | undefined;
  #token = '';
  readonly #url: string;

  constructor(world: Pick<HostileWorld, 'url'>, cookie?: string) {
    this.#url = world.url;
    this.cookie = cookie;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<PageAnswer> {
    return this.#ask('GET', path, undefined, headers);
  }

  /** Sends a form as a page of ours does. Without `csrf` among the fields the token of the last page goes along. */
  post(
    path: string,
    fields: Record<string, string>,
    headers: Record<string, string | undefined> = {},
  ): Promise<PageAnswer> {
    const body = new URLSearchParams({ csrf: this.#token, ...fields }).toString();
    const origin = { origin: this.#url, 'sec-fetch-site': 'same-origin' };
    return this.#ask('POST', path, body, {
      'content-type': 'application/x-www-form-urlencoded',
      ...origin,
      ...headers,
    });
  }

  get token(): string {
    return this.#token;
  }

  // Not by fetch, which forbids some of the headers that an attacker sends.
  async #ask(
    method: string,
    path: string,
    body: string | undefined,
    headers: Record<string, string | undefined>,
  ): Promise<PageAnswer> {
    const told = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
    const answer = await new Promise<PageAnswer>((resolve, reject) => {
      const sent = request(
        this.#url + path,
        { method, headers: { ...told, ...(this.cookie === undefined ? {} : { cookie: this.cookie }) } },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              text: Buffer.concat(parts).toString('utf8'),
              body: {},
              location: response.headers.location,
              headers: response.headers,
            }),
          );
          response.on('error', reject);
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
    for (const cookie of answer.headers['set-cookie'] ?? []) this.cookie = cookie.split(';')[0];
    this.#token = /name="csrf" value="([^"]+)"/.exec(answer.text)?.[1] ?? this.#token;
    return answer;
  }
}

/** The last code that an address was mailed. */
export async function codeFor(world: HostileWorld, email: string): Promise<string> {
  await world.house.settle();
  const [mail] = await world.house.mail.messages({ to: email, limit: 1 });
  const found = /Code:\s+(\d{3}) (\d{3})/.exec(mail?.text ?? '');
  if (!found) throw new Error(`no code came for ${email}`);
  return `${found[1]}${found[2]}`;
}

/** Signs in by the code of the mail, in the browser that is given. */
export async function signIn(world: HostileWorld, who: Somebody, person: Person): Promise<PageAnswer> {
  await person.get('/sign-in');
  await person.post('/sign-in', { email: who.email });
  const answer = await person.post('/sign-in/code', { code: await codeFor(world, who.email), email: who.email });
  if (answer.status !== 303) throw new Error(`${who.name} could not sign in: ${answer.status}`);
  return answer;
}

const signedIn = new WeakMap<Somebody, Promise<Person>>();

/** The browser in which somebody is signed in; mail is sent once an hour, not for each attack. */
export function personOf(world: HostileWorld, who: Somebody): Promise<Person> {
  let known = signedIn.get(who);
  if (!known) {
    known = (async () => {
      const person = new Person(world);
      await signIn(world, who, person);
      await person.get('/account');
      return person;
    })();
    signedIn.set(who, known);
  }
  return known;
}

/** An answer of which only the status counts: it went to whom it belongs. */
export const unread = (answer: PageAnswer): Answer => ({ status: answer.status, text: '', body: {} });

/** The browser of an operator, who pasted a token once. */
export async function operatorOf(world: HostileWorld): Promise<Person> {
  const { policy } = world.house;
  const made = await execute(
    policy,
    createAccessToken,
    { name: 'Desk', audience: 'operator', scopes: ['*'] },
    operator,
  );
  const person = new Person(world);
  await person.get('/desk/sign-in');
  const answer = await person.post('/desk/sign-in', { token: made.token });
  if (answer.status !== 303) throw new Error(`the operator could not sign in: ${answer.status}`);
  return person;
}
