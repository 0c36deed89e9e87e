import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cardGatewayContract } from '../../card-gateway.contract.ts';
import type { GatewayOperation } from '../../card-gateway.ts';
import { OutcomeUnknown, RequestRefused } from '../../outcome.ts';
import { remoteCardGateway } from '../remote.ts';
import { serveSandboxes } from '../server.ts';
import { openSandboxCardGateway, type SandboxCardGateway } from './sandbox-card-gateway.ts';
import { testCardOf, testCards } from './test-cards.ts';

const secret = 'a secret of the test suite';

interface Running {
  gateway: SandboxCardGateway;
  directory: string;
  clock: { now: Date };
  slept: number[];
  restart(): Promise<SandboxCardGateway>;
  close(): Promise<void>;
}

async function run(form: 'in process' | 'remote'): Promise<Running> {
  const directory = await mkdtemp(join(tmpdir(), 'airtime-gateway-'));
  const clock = { now: new Date('2026-03-01T00:00:00Z') };
  const slept: number[] = [];
  let drawn = 0;

  async function start(): Promise<{ gateway: SandboxCardGateway; stop: () => Promise<void> }> {
    const local = await openSandboxCardGateway({
      directory,
      now: () => clock.now,
      id: () => {
        drawn += 1;
        return `id${drawn}`;
      },
      sleep: async (milliseconds) => slept.push(milliseconds),
      actionPage: 'http://localhost/3ds',
    });
    if (form === 'in process') return { gateway: local, stop: local.close };
    const server = await serveSandboxes({ secret, cardGateway: local }, 0);
    return {
      gateway: remoteCardGateway(server.url, secret),
      stop: async () => {
        await server.close();
        await local.close();
      },
    };
  }

  let current = await start();
  return {
    gateway: current.gateway,
    directory,
    clock,
    slept,
    async restart() {
      await current.stop();
      current = await start();
      return current.gateway;
    },
    async close() {
      await current.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

for (const form of ['in process', 'remote'] as const) {
  cardGatewayContract(`sandbox, ${form}`, async () => {
    const { gateway, restart, close } = await run(form);
    let keys = 0;
    return {
      gateway,
      restart,
      close,
      chargeback: async (reference, amountMinor) => (await gateway.chargeback(reference, amountMinor)).key,
      closeChargeback: (key, ended) => gateway.closeChargeback(key, ended),
      cards: {
        succeeds: 'tok_visa',
        declined: 'tok_declined',
        unknown: 'tok_nobody',
        requiresAction: 'tok_requires_action',
        authorisationExpires: 'tok_authorisation_expires',
      },
      newKey: () => {
        keys += 1;
        return `key ${keys}`;
      },
      completeAction: gateway.completeAction,
    };
  });
}

describe.each(['in process', 'remote'] as const)('card sandbox, %s', (form) => {
  let running: Running;
  let gateway: SandboxCardGateway;

  beforeEach(async () => {
    running = await run(form);
    gateway = running.gateway;
  });
  afterEach(() => running.close());

  const amount = { amountMinor: 1000, currency: 'SGD' };
  const authorise = (token: string, key: string) => gateway.authorise({ key, token, ...amount, reference: key });
  const capture = (gatewayReference: string, key: string) => gateway.capture({ key, gatewayReference, ...amount });

  async function taken(token: string, key: string): Promise<string> {
    const { gatewayReference } = await authorise(token, `${key} authorise`);
    expect((await capture(gatewayReference, `${key} capture`)).outcome).toBe('captured');
    return gatewayReference;
  }

  describe('test cards', () => {
    test('each has facts of its own, also under a suffix', async () => {
      for (const card of testCards) {
        const token = `${card.token}_of-somebody_1`;
        expect(await gateway.describeCard(token)).toMatchObject({
          token,
          brand: card.brand,
          lastFour: card.number.slice(-4),
        });
      }
      expect(await gateway.describeCard('tok_visa_')).toBeUndefined();
      expect(await gateway.describeCard('tok_visa_sp ace')).toBeUndefined();
      expect(await gateway.describeCard('tok_visanothing')).toBeUndefined();
    });

    test('good cards are charged', async () => {
      for (const token of ['tok_visa', 'tok_mastercard_2', 'tok_amex']) await taken(token, token);
      expect(await gateway.totals()).toEqual([
        { currency: 'SGD', capturedMinor: 3000, refundedMinor: 0, chargedBackMinor: 0 },
      ]);
    });

    test('tok_declined_above_30 declines what is more than 30 units of its currency', async () => {
      const ask = (key: string, amountMinor: number, currency: string) =>
        gateway.authorise({ key, token: 'tok_declined_above_30_x', amountMinor, currency, reference: key });
      const asked = [await ask('a', 3000, 'SGD'), await ask('b', 3001, 'SGD'), await ask('c', 31, 'JPY')];
      expect(asked.map((answer) => answer.outcome)).toEqual(['authorised', 'declined', 'declined']);
      expect(asked[1]).toMatchObject({ code: 'insufficient_funds' });
    });

    test('tok_declined and tok_expired decline with their reason', async () => {
      expect(await authorise('tok_declined', 'a')).toMatchObject({ outcome: 'declined', code: 'insufficient_funds' });
      expect(await authorise('tok_expired', 'b')).toMatchObject({ outcome: 'declined', code: 'expired_card' });
      expect(await gateway.describeCard('tok_expired')).toMatchObject({ expiryYear: 2020, expiryMonth: 1 });
    });

    test('tok_authorises_capture_fails holds and never gives', async () => {
      const { gatewayReference } = await authorise('tok_authorises_capture_fails', 'a');
      expect(await capture(gatewayReference, 'b')).toMatchObject({ outcome: 'failed', code: 'capture_declined' });
      expect(await gateway.void({ key: 'c', gatewayReference })).toMatchObject({ outcome: 'voided' });
    });

    test('tok_renewal_declines is good for one capture, per card, across a restart', async () => {
      await taken('tok_renewal_declines_1', 'one');
      await taken('tok_renewal_declines_2', 'two');
      gateway = await running.restart();
      expect(await authorise('tok_renewal_declines_1', 'a')).toMatchObject({ outcome: 'declined' });
      expect(await authorise('tok_renewal_declines_3', 'b')).toMatchObject({ outcome: 'authorised' });
    });

    test('tok_authorisation_expires expires once per card, across a restart', async () => {
      const first = await authorise('tok_authorisation_expires', 'a');
      gateway = await running.restart();
      expect((await capture(first.gatewayReference, 'b')).outcome).toBe('expired');
      await taken('tok_authorisation_expires', 'c');
      const other = await authorise('tok_authorisation_expires_2', 'd');
      expect((await capture(other.gatewayReference, 'e')).outcome).toBe('expired');
    });

    test('any authorisation expires after seven days', async () => {
      const { gatewayReference } = await authorise('tok_visa', 'a');
      running.clock.now = new Date('2026-03-08T00:00:00Z');
      expect((await capture(gatewayReference, 'b')).outcome).toBe('expired');
    });

    test('tok_requires_action names the page, and a second decision changes nothing', async () => {
      const { gatewayReference, ...answer } = await authorise('tok_requires_action', 'a');
      expect(answer).toEqual({
        outcome: 'requires_action',
        url: `http://localhost/3ds?payment=${gatewayReference}`,
      });
      gateway = await running.restart();
      expect(await gateway.completeAction(gatewayReference, 'approve')).toMatchObject({ outcome: 'authorised' });
      expect(await gateway.completeAction(gatewayReference, 'refuse')).toMatchObject({ outcome: 'authorised' });
      expect((await capture(gatewayReference, 'b')).outcome).toBe('captured');
    });

    test('a voided request cannot be approved any more', async () => {
      const { gatewayReference } = await authorise('tok_requires_action', 'a');
      await gateway.void({ key: 'b', gatewayReference });
      await expect(gateway.completeAction(gatewayReference, 'approve')).rejects.toThrow(RequestRefused);
      await expect(gateway.completeAction('sbx_none', 'approve')).rejects.toThrow(RequestRefused);
    });

    test('tok_timeout_before loses the first try of each key before it has an effect', async () => {
      await expect(authorise('tok_timeout_before', 'a')).rejects.toThrow(OutcomeUnknown);
      expect(await gateway.find('a')).toBeUndefined();
      gateway = await running.restart();
      expect((await authorise('tok_timeout_before', 'a')).outcome).toBe('authorised');
      await expect(authorise('tok_timeout_before', 'b')).rejects.toThrow(OutcomeUnknown);
    });

    test('tok_timeout_after loses the answer of each key, and the effect is found', async () => {
      await expect(authorise('tok_timeout_after', 'a')).rejects.toMatchObject({ name: 'OutcomeUnknown', key: 'a' });
      const found = await gateway.find('a');
      expect(found).toMatchObject({ kind: 'authorise', answer: { outcome: 'authorised' } });
      expect(await authorise('tok_timeout_after', 'a')).toEqual(found?.answer);
    });

    test('tok_capture_timeout_after takes the money and loses the answer', async () => {
      const { gatewayReference } = await authorise('tok_capture_timeout_after', 'a');
      await expect(capture(gatewayReference, 'b')).rejects.toThrow(OutcomeUnknown);
      expect((await gateway.find('b'))?.answer.outcome).toBe('captured');
      expect((await capture(gatewayReference, 'b')).outcome).toBe('captured');
      expect(await gateway.totals()).toMatchObject([{ capturedMinor: 1000 }]);
    });

    test('the table is whole: distinct tokens and numbers, no stem hidden by another', () => {
      expect(new Set(testCards.map(({ token }) => token)).size).toBe(testCards.length);
      expect(new Set(testCards.map(({ number }) => number)).size).toBe(testCards.length);
      for (const card of testCards) {
        expect(testCardOf(card.token)).toBe(card);
        expect(testCardOf(`${card.token}_x`)).toBe(card);
        expect(card.summary).toMatch(/^[A-Z].*\.$/);
      }
    });
  });

  describe('tokeniser', () => {
    const form = { number: '4242 4242 4242 4242', expiryYear: 2028, expiryMonth: 2, cvc: '123' };

    test('gives every form another token, and keeps its expiry over a restart', async () => {
      const one = await gateway.tokenise(form);
      const two = await gateway.tokenise({ ...form, number: '4242-4242-4242-4242', expiryYear: 28 });
      if (one.outcome !== 'tokenised' || two.outcome !== 'tokenised') throw new Error('must be tokenised');
      expect(one.card.token).not.toBe(two.card.token);
      expect(two.card).toEqual({ ...one.card, token: two.card.token });
      gateway = await running.restart();
      expect(await gateway.describeCard(one.card.token)).toEqual({
        token: one.card.token,
        brand: 'visa',
        lastFour: '4242',
        expiryYear: 2028,
        expiryMonth: 2,
      });
      await taken(one.card.token, 'before expiry');
      running.clock.now = new Date('2028-02-29T23:59:59Z');
      expect((await authorise(one.card.token, 'last second')).outcome).toBe('authorised');
      running.clock.now = new Date('2028-03-01T00:00:00Z');
      expect(await authorise(one.card.token, 'too late')).toMatchObject({ outcome: 'declined', code: 'expired_card' });
    });

    test('takes every number of the table and gives it its behaviour', async () => {
      for (const { number, token, brand } of testCards) {
        const answer = await gateway.tokenise({ ...form, number, cvc: brand === 'amex' ? '1234' : '123' });
        if (answer.outcome !== 'tokenised') throw new Error(`${token} must be tokenised`);
        expect(testCardOf(answer.card.token)?.token).toBe(token);
      }
    });

    test.each([
      [{ number: '4242424242424241' }, 'number', 'invalid_number'],
      [{ number: 'four two' }, 'number', 'invalid_number'],
      [{ number: '9999999999999995' }, 'number', 'not_a_test_card'],
      [{ expiryMonth: 13 }, 'expiry', 'invalid_expiry'],
      [{ expiryMonth: 0 }, 'expiry', 'invalid_expiry'],
      [{ expiryYear: 2026, expiryMonth: 2 }, 'expiry', 'expired_card'],
      [{ cvc: '12' }, 'cvc', 'invalid_cvc'],
      [{ cvc: '12a' }, 'cvc', 'invalid_cvc'],
      [{ number: '378282246310005' }, 'cvc', 'invalid_cvc'],
    ])('refuses %o', async (change, field, code) => {
      const answer = await gateway.tokenise({ ...form, ...change });
      expect(answer).toMatchObject({ outcome: 'refused', field, code });
      expect(JSON.stringify(answer)).not.toMatch(/\d{5}/);
    });

    test('keeps neither number nor code in its book', async () => {
      await gateway.tokenise({ ...form, cvc: '987' });
      const book = await readFile(join(running.directory, 'card-gateway.jsonl'), 'utf8');
      expect(book).toContain('4242');
      expect(book).not.toContain('42424242');
      expect(book).not.toContain('987');
    });
  });

  describe('plans', () => {
    test('unavailable: lost before the effect, as often as planned, across a restart', async () => {
      await gateway.plan({ mode: 'unavailable', times: 2 });
      await expect(authorise('tok_visa', 'a')).rejects.toThrow(OutcomeUnknown);
      expect(await gateway.plans()).toMatchObject([{ mode: 'unavailable', times: 2, left: 1 }]);
      gateway = await running.restart();
      expect(await gateway.find('a')).toBeUndefined();
      await expect(authorise('tok_visa', 'a')).rejects.toThrow(OutcomeUnknown);
      expect((await authorise('tok_visa', 'a')).outcome).toBe('authorised');
      expect(await gateway.plans()).toEqual([]);
    });

    test('unavailable without a limit lasts until cleared, for the calls that are named', async () => {
      await gateway.plan({ mode: 'unavailable', calls: ['find', 'book', 'describeCard'] });
      expect((await authorise('tok_visa', 'a')).outcome).toBe('authorised');
      await expect(gateway.find('a')).rejects.toThrow(OutcomeUnknown);
      await expect(gateway.describeCard('tok_visa')).rejects.toThrow(OutcomeUnknown);
      await expect(bookOf(gateway)).rejects.toThrow(OutcomeUnknown);
      await gateway.clearPlans();
      expect(await gateway.find('a')).toBeDefined();
      gateway = await running.restart();
      expect(await gateway.plans()).toEqual([]);
    });

    test('lose_answer: the effect happens and is found', async () => {
      await gateway.plan({ mode: 'lose_answer', calls: ['capture'], times: 1 });
      const { gatewayReference } = await authorise('tok_visa', 'a');
      await expect(capture(gatewayReference, 'b')).rejects.toThrow(OutcomeUnknown);
      expect((await gateway.find('b'))?.answer.outcome).toBe('captured');
      expect((await capture(gatewayReference, 'b')).outcome).toBe('captured');
    });

    test('declines of each kind hit what their filter names', async () => {
      await gateway.plan({ mode: 'decline_authorisation', reference: 'b', times: 1 });
      expect((await authorise('tok_visa', 'a')).outcome).toBe('authorised');
      expect((await authorise('tok_visa', 'b')).outcome).toBe('declined');
      await gateway.plan({ mode: 'decline_capture', token: 'tok_visa_2', times: 1 });
      await taken('tok_visa', 'c');
      const { gatewayReference } = await authorise('tok_visa_2', 'd');
      expect((await capture(gatewayReference, 'e')).outcome).toBe('failed');
      expect((await capture(gatewayReference, 'e')).outcome).toBe('failed');
      expect((await capture(gatewayReference, 'f')).outcome).toBe('captured');
      await gateway.plan({ mode: 'decline_refund', gatewayReference, times: 1 });
      expect((await gateway.refund({ key: 'g', gatewayReference, ...amount })).outcome).toBe('failed');
      expect((await gateway.refund({ key: 'h', gatewayReference, ...amount })).outcome).toBe('refunded');
    });

    test('stall waits as long as planned', async () => {
      await gateway.plan({ mode: 'stall', stallMs: 1234, times: 1 });
      await authorise('tok_visa', 'a');
      await authorise('tok_visa', 'b');
      expect(running.slept).toEqual([1234]);
    });
  });

  test('a chargeback appears in the book, takes what is left, and leaves nothing to refund', async () => {
    const gatewayReference = await taken('tok_visa', 'a');
    await gateway.refund({ key: 'b', gatewayReference, amountMinor: 400, currency: 'SGD' });
    const before = (await bookOf(gateway)).at(-1)?.cursor;
    await expect(gateway.chargeback(gatewayReference, 601)).rejects.toThrow(RequestRefused);
    expect(await gateway.chargeback(gatewayReference)).toMatchObject({ outcome: 'charged_back' });
    expect(await bookOf(gateway, before)).toMatchObject([{ kind: 'chargeback', gatewayReference, amountMinor: 600 }]);
    expect((await gateway.refund({ key: 'c', gatewayReference, ...amount, amountMinor: 1 })).outcome).toBe('failed');
    await expect(gateway.chargeback(gatewayReference)).rejects.toThrow(RequestRefused);
    gateway = await running.restart();
    expect(await gateway.totals()).toEqual([
      { currency: 'SGD', capturedMinor: 1000, refundedMinor: 400, chargedBackMinor: 600 },
    ]);
  });

  test('a book longer than a page is read whole', async () => {
    await Promise.all(Array.from({ length: 1203 }, (_, n) => authorise('tok_visa', `key ${n}`)));
    expect(await bookOf(gateway)).toHaveLength(1203);
  });
});

test('whatever is asked, in whatever order, the book adds up and survives a restart', async () => {
  const step = fc.record({
    kind: fc.constantFrom('authorise', 'capture', 'void', 'refund', 'chargeback', 'completeAction', 'restart'),
    token: fc.constantFrom(...testCards.map(({ token }) => token)),
    payment: fc.nat(5),
    amountMinor: fc.integer({ min: 1, max: 300 }),
    key: fc.nat(30),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const running = await run('in process');
      let { gateway } = running;
      try {
        const references: string[] = [];
        for (const { kind, token, payment, amountMinor, key } of steps) {
          const gatewayReference = references[payment % Math.max(references.length, 1)] ?? 'none';
          const move = { key: `${key}`, gatewayReference, amountMinor, currency: 'SGD' };
          try {
            if (kind === 'authorise') {
              const answer = await gateway.authorise({ ...move, token, reference: '' });
              references.push(answer.gatewayReference);
            } else if (kind === 'capture') await gateway.capture(move);
            else if (kind === 'void') await gateway.void(move);
            else if (kind === 'refund') await gateway.refund(move);
            else if (kind === 'chargeback') await gateway.chargeback(gatewayReference);
            else if (kind === 'completeAction') await gateway.completeAction(gatewayReference, 'approve');
            else gateway = await running.restart();
          } catch (error) {
            if (!(error instanceof OutcomeUnknown) && !(error instanceof RequestRefused)) throw error;
          }
        }
        const book = await bookOf(gateway);
        expect(await gateway.totals()).toEqual(sumsOf(book));
        gateway = await running.restart();
        expect(await bookOf(gateway)).toEqual(book);
        expect(await gateway.totals()).toEqual(sumsOf(book));
      } finally {
        await running.close();
      }
    }),
    { numRuns: 60, seed: 20260301 },
  );
});

async function bookOf(gateway: SandboxCardGateway, after?: string): Promise<GatewayOperation[]> {
  const operations: GatewayOperation[] = [];
  for await (const operation of gateway.book(after)) operations.push(operation);
  return operations;
}

/** The book summed up by somebody who only reads it, refusing one in which a payment gives back more than it took. */
function sumsOf(book: GatewayOperation[]) {
  const sum = { currency: 'SGD', capturedMinor: 0, refundedMinor: 0, chargedBackMinor: 0 };
  const left = new Map<string, number>();
  for (const { kind, gatewayReference, amountMinor, answer } of book) {
    const before = left.get(gatewayReference);
    if (kind === 'capture' && answer.outcome === 'captured') {
      expect(before).toBeUndefined();
      left.set(gatewayReference, amountMinor);
      sum.capturedMinor += amountMinor;
    }
    if (answer.outcome === 'refunded' || answer.outcome === 'charged_back') {
      expect(before).toBeGreaterThanOrEqual(amountMinor);
      left.set(gatewayReference, (before ?? 0) - amountMinor);
      if (answer.outcome === 'refunded') sum.refundedMinor += amountMinor;
      else sum.chargedBackMinor += amountMinor;
    }
  }
  return sum.capturedMinor === 0 ? [] : [sum];
}
