import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { portalGuards } from '../surfaces/portal/parts.ts';
import { routes } from '../surfaces/portal/routes.ts';
import { newPeople, type People, playGuarded, playWithout } from './hostile/run.ts';
import { type HostileWorld, openHostileWorld } from './hostile/world.ts';
import { Person, personOf } from './portal/person.ts';
import { probes } from './portal/probes.ts';

let world: HostileWorld;
let people: People;
beforeAll(async () => {
  world = await openHostileWorld();
  people = await newPeople(world);
});
afterAll(() => world.close());

test('every page and form of customers with a place for an id is probed, and each probe has its own name', () => {
  const placed = routes.filter(({ audience, path }) => audience === 'customer' && path.includes(':'));
  expect(placed.length).toBeGreaterThan(15);
  for (const { method, path } of placed)
    expect(probes.some(({ name }) => name === `${method} ${path} with every id of another`)).toBe(true);
  expect(new Set(probes.map(({ family, name }) => `${family}: ${name}`)).size).toBe(probes.length);
});

test('every guard of the pages is aimed at by a probe', () => {
  const aims = new Set(probes.flatMap((probe) => probe.aims));
  expect(portalGuards.filter((guard) => !aims.has(guard))).toEqual([]);
});

describe('a probe comes to nothing, and succeeds where the guard that it aims at is taken away', () => {
  test.each(probes.map((probe) => [`${probe.family}: ${probe.name}`, probe] as const))('%s', async (_name, probe) => {
    expect((await playGuarded(world, probe, people)).faults).toEqual([]);
    // `make probe-portal` takes each guard away; a gate has little time, and takes every second one.
    if (probes.indexOf(probe) % 2 === 0)
      expect([probe.aims, await playWithout(world, probe)]).toEqual([probe.aims, true]);
  });
});

describe('whoever is not let in', () => {
  const plain = (text: string) => text.replace(/name="csrf" value="[^"]*"/g, '');

  test('learns nothing of who has an account: a known and an unknown address are answered alike', async () => {
    const answers: string[] = [];
    for (const email of [people.victim.email, 'nobody-at-all@example.com']) {
      const person = new Person(world);
      await person.get('/sign-in');
      const { status, text } = await person.post('/sign-in', { email });
      answers.push(`${status} ${plain(text).replaceAll(email, '')}`);
    }
    expect(answers[0]).toBe(answers[1]);
  });

  test('is led to where one signs in, from every page of customers and operators, whoever else they are', async () => {
    const customer = await personOf(world, people.attacker);
    for (const { method, path, audience } of routes.filter((route) => route.audience !== 'visitor')) {
      const target = path.replace(/:\w+/g, people.victim.line);
      for (const person of audience === 'operator' ? [new Person(world), customer] : [new Person(world)]) {
        const answer = method === 'GET' ? await person.get(target) : await person.post(target, {});
        expect([method, path, answer.status]).toEqual([method, path, 303]);
        expect(answer.location).toMatch(audience === 'operator' ? /^\/desk\/sign-in/ : /^\/sign-in/);
        expect(answer.text).toBe('');
      }
    }
  });

  test('gets links to this house alone in a letter, whatever host the request names', async () => {
    const person = new Person(world);
    await person.get('/sign-in', { host: 'evil.example', 'x-forwarded-host': 'evil.example' });
    await person.post(
      '/sign-in',
      { email: people.victim.email },
      { host: 'evil.example', 'x-forwarded-host': 'evil.example', origin: 'http://evil.example' },
    );
    await world.house.settle();
    const [mail] = await world.house.mail.messages({ to: people.victim.email, limit: 1 });
    expect(`${mail?.text}`).not.toContain('evil.example');
  });
});

test('no page lets a script of somebody else run, and none may be framed', async () => {
  const person = await personOf(world, people.attacker);
  for (const path of ['/plans', '/sign-in', '/account', `/account/lines/${people.attacker.line}`]) {
    const { headers } = await person.get(path);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(headers['cache-control']).toContain('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
  }
});

test('the cookie of a session is for this house alone and for no script', async () => {
  const person = new Person(world);
  const { headers } = await person.get('/sign-in');
  expect(String(headers['set-cookie'])).toMatch(
    /^airtime_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/,
  );
});
