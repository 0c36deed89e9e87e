import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CardGateway, GatewayOperation } from './card-gateway.ts';
import type { RequestRefusedCode } from './outcome.ts';

/** A gateway with what its contract needs to know about it. A test whose means are missing is skipped, by name. */
export interface CardGatewayUnderTest {
  gateway: CardGateway;
  cards: {
    succeeds: string;
    declined: string;
    unknown: string;
    requiresAction?: string;
    /** Its first authorisation has expired when it is captured. */
    authorisationExpires?: string;
  };
  /** A key that this gateway has never seen. */
  newKey(): string;
  /** Plays the customer of a 3-D Secure request. */
  completeAction?(gatewayReference: string, decision: 'approve' | 'refuse'): Promise<unknown>;
  /** The card's bank takes money back; then the dispute about it is decided. */
  chargeback?(gatewayReference: string, amountMinor?: number): Promise<string>;
  closeChargeback?(key: string, ended: 'won' | 'lost'): Promise<unknown>;
  /** Stops the gateway and starts it again on the same book. */
  restart?(): Promise<CardGateway>;
  close(): Promise<void>;
}

/** The rules of `CardGateway`, as tests that any gateway behind that door has to pass. */
export function cardGatewayContract(form: string, make: () => Promise<CardGatewayUnderTest>): void {
  describe(`card gateway contract: ${form}`, () => {
    let subject: CardGatewayUnderTest;
    let gateway: CardGateway;

    beforeEach(async () => {
      subject = await make();
      gateway = subject.gateway;
    });
    afterEach(() => subject.close());

    const amount = { amountMinor: 2500, currency: 'SGD' };

    function authorise(token = subject.cards.succeeds, key = subject.newKey()) {
      return gateway.authorise({ key, token, ...amount, reference: 'order item 1' });
    }

    async function held(): Promise<string> {
      const answer = await authorise();
      expect(answer.outcome).toBe('authorised');
      return answer.gatewayReference;
    }

    async function taken(): Promise<string> {
      const gatewayReference = await held();
      const answer = await gateway.capture({ key: subject.newKey(), gatewayReference, ...amount });
      expect(answer.outcome).toBe('captured');
      return gatewayReference;
    }

    async function booked(after?: string): Promise<GatewayOperation[]> {
      const operations: GatewayOperation[] = [];
      for await (const operation of gateway.book(after)) operations.push(operation);
      return operations;
    }

    async function lastCursor(): Promise<string | undefined> {
      return (await booked()).at(-1)?.cursor;
    }

    test('describes the cards it issued and no others', async () => {
      const facts = await gateway.describeCard(subject.cards.succeeds);
      expect(facts).toMatchObject({ token: subject.cards.succeeds, lastFour: expect.stringMatching(/^\d{4}$/) });
      expect(facts?.expiryMonth).toBeGreaterThanOrEqual(1);
      expect(facts?.expiryMonth).toBeLessThanOrEqual(12);
      expect(await gateway.describeCard(subject.cards.unknown)).toBeUndefined();
    });

    test('holds, takes and gives back an amount, and finds and books each step', async () => {
      const before = await lastCursor();
      const [first, second, third] = [subject.newKey(), subject.newKey(), subject.newKey()];
      const authorised = await authorise(subject.cards.succeeds, first);
      const { gatewayReference } = authorised;
      const captured = await gateway.capture({ key: second, gatewayReference, ...amount });
      const refunded = await gateway.refund({ key: third, gatewayReference, amountMinor: 1000, currency: 'SGD' });
      expect(authorised).toMatchObject({ outcome: 'authorised', expiresAt: expect.any(Date) });
      expect(captured).toEqual({ outcome: 'captured', gatewayReference });
      expect(refunded).toEqual({ outcome: 'refunded', gatewayReference, refundReference: expect.any(String) });

      const common = { gatewayReference, currency: 'SGD', at: expect.any(Date), cursor: expect.any(String) };
      const expected = [
        { ...common, kind: 'authorise', key: first, amountMinor: 2500, reference: 'order item 1', answer: authorised },
        { ...common, kind: 'capture', key: second, amountMinor: 2500, answer: captured },
        { ...common, kind: 'refund', key: third, amountMinor: 1000, answer: refunded },
      ];
      expect(await booked(before)).toEqual(expected);
      expect([await gateway.find(first), await gateway.find(second), await gateway.find(third)]).toEqual(expected);
    });

    test('a decline is an answer, moves nothing and cannot be captured', async () => {
      const key = subject.newKey();
      const answer = await authorise(subject.cards.declined, key);
      expect(answer).toMatchObject({ outcome: 'declined', code: expect.any(String), message: expect.any(String) });
      expect(await authorise(subject.cards.declined, key)).toEqual(answer);
      expect((await gateway.find(key))?.answer).toEqual(answer);
      const { gatewayReference } = answer;
      expect((await gateway.capture({ key: subject.newKey(), gatewayReference, ...amount })).outcome).toBe('failed');
      expect((await gateway.refund({ key: subject.newKey(), gatewayReference, ...amount })).outcome).toBe('failed');
    });

    test('an unknown card is declined', async () => {
      expect((await authorise(subject.cards.unknown)).outcome).toBe('declined');
    });

    test('the same key with the same request gets the stored answer and has one effect', async () => {
      const before = await lastCursor();
      const [first, second, third, fourth] = [subject.newKey(), subject.newKey(), subject.newKey(), subject.newKey()];
      const authorised = await authorise(subject.cards.succeeds, first);
      const { gatewayReference } = authorised;
      const captured = await gateway.capture({ key: second, gatewayReference, ...amount });
      const refunded = await gateway.refund({ key: third, gatewayReference, ...amount });
      const other = await held();
      const voided = await gateway.void({ key: fourth, gatewayReference: other });

      expect(await authorise(subject.cards.succeeds, first)).toEqual(authorised);
      expect(await gateway.capture({ key: second, gatewayReference, ...amount })).toEqual(captured);
      expect(await gateway.refund({ key: third, gatewayReference, ...amount })).toEqual(refunded);
      expect(await gateway.void({ key: fourth, gatewayReference: other })).toEqual(voided);
      expect((await booked(before)).map(({ kind }) => kind)).toEqual([
        'authorise',
        'capture',
        'refund',
        'authorise',
        'void',
      ]);
    });

    test('the same key with another request is refused, of the same kind or not', async () => {
      const key = subject.newKey();
      const { gatewayReference } = await authorise(subject.cards.succeeds, key);
      const request = { key, token: subject.cards.succeeds, ...amount, reference: 'order item 1' };
      const before = await lastCursor();
      await refuses('key_reused', gateway.authorise({ ...request, amountMinor: 2501 }));
      await refuses('key_reused', gateway.authorise({ ...request, currency: 'USD' }));
      await refuses('key_reused', gateway.authorise({ ...request, reference: 'order item 2' }));
      await refuses('key_reused', gateway.authorise({ ...request, token: subject.cards.declined }));
      await refuses('key_reused', gateway.capture({ key, gatewayReference, ...amount }));
      await refuses('key_reused', gateway.refund({ key, gatewayReference, ...amount }));
      await refuses('key_reused', gateway.void({ key, gatewayReference }));
      expect(await booked(before)).toEqual([]);
    });

    test('a hundred calls at once under one key have one effect and one answer', async () => {
      const before = await lastCursor();
      const key = subject.newKey();
      const answers = await Promise.all(Array.from({ length: 100 }, () => authorise(subject.cards.succeeds, key)));
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);

      const gatewayReference = answers[0]?.gatewayReference ?? '';
      const captureKey = subject.newKey();
      const captures = await Promise.all(
        Array.from({ length: 100 }, () => gateway.capture({ key: captureKey, gatewayReference, ...amount })),
      );
      expect(captures.every(({ outcome }) => outcome === 'captured')).toBe(true);
      expect((await booked(before)).map(({ kind }) => kind)).toEqual(['authorise', 'capture']);
    });

    test('captures race under different keys and one takes the money', async () => {
      const gatewayReference = await held();
      const captures = await Promise.all(
        Array.from({ length: 20 }, () => gateway.capture({ key: subject.newKey(), gatewayReference, ...amount })),
      );
      expect(captures.filter(({ outcome }) => outcome === 'captured')).toHaveLength(1);
    });

    test('captures no more than was authorised, in its currency, once', async () => {
      const gatewayReference = await held();
      const capture = (amountMinor: number, currency = 'SGD') =>
        gateway.capture({ key: subject.newKey(), gatewayReference, amountMinor, currency });
      expect((await capture(2501)).outcome).toBe('failed');
      expect((await capture(2500, 'USD')).outcome).toBe('failed');
      expect((await capture(2000)).outcome).toBe('captured');
      expect((await capture(500)).outcome).toBe('failed');
    });

    test('refunds no more than was captured, also in a race', async () => {
      const gatewayReference = await taken();
      const refund = (amountMinor: number, currency = 'SGD') =>
        gateway.refund({ key: subject.newKey(), gatewayReference, amountMinor, currency });
      expect((await refund(2501)).outcome).toBe('failed');
      expect((await refund(100, 'USD')).outcome).toBe('failed');
      const refunds = await Promise.all(Array.from({ length: 10 }, () => refund(600)));
      expect(refunds.filter(({ outcome }) => outcome === 'refunded')).toHaveLength(4);
      expect((await refund(100)).outcome).toBe('refunded');
      expect((await refund(1)).outcome).toBe('failed');
    });

    test('voids what is held, also twice, and never what was taken', async () => {
      const gatewayReference = await held();
      const voided = { outcome: 'voided', gatewayReference };
      expect(await gateway.void({ key: subject.newKey(), gatewayReference })).toEqual(voided);
      expect(await gateway.void({ key: subject.newKey(), gatewayReference })).toEqual(voided);
      expect((await gateway.capture({ key: subject.newKey(), gatewayReference, ...amount })).outcome).toBe('failed');
      const captured = await taken();
      expect((await gateway.void({ key: subject.newKey(), gatewayReference: captured })).outcome).toBe('failed');
      expect((await gateway.refund({ key: subject.newKey(), gatewayReference: captured, ...amount })).outcome).toBe(
        'refunded',
      );
    });

    test('fails what names a payment it does not have', async () => {
      const gatewayReference = 'no-such-payment';
      expect((await gateway.capture({ key: subject.newKey(), gatewayReference, ...amount })).outcome).toBe('failed');
      expect((await gateway.refund({ key: subject.newKey(), gatewayReference, ...amount })).outcome).toBe('failed');
      expect((await gateway.void({ key: subject.newKey(), gatewayReference })).outcome).toBe('failed');
      expect(await gateway.find(subject.newKey())).toBeUndefined();
    });

    test('refuses amounts, currencies and keys that cannot be, without naming the card', async () => {
      const request = { key: subject.newKey(), token: subject.cards.succeeds, ...amount, reference: 'order item 1' };
      for (const amountMinor of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        await refuses('invalid_request', gateway.authorise({ ...request, amountMinor }), subject.cards.succeeds);
      }
      for (const currency of ['sgd', 'SG', 'DOLLAR', '']) {
        await refuses('invalid_request', gateway.authorise({ ...request, currency }), subject.cards.succeeds);
      }
      await refuses('invalid_request', gateway.authorise({ ...request, key: '' }), subject.cards.succeeds);
      const gatewayReference = await held();
      const capture = { key: subject.newKey(), gatewayReference, ...amount };
      await refuses('invalid_request', gateway.capture({ ...capture, amountMinor: 0 }));
      await refuses('invalid_request', gateway.refund({ ...capture, amountMinor: -100 }));
      expect(await gateway.find(request.key)).toBeUndefined();
    });

    test('an expired authorisation takes nothing; one made again does', async (context) => {
      const { authorisationExpires } = subject.cards;
      if (authorisationExpires === undefined) return context.skip('needs a card whose authorisation expires');
      const { gatewayReference } = await authorise(authorisationExpires);
      const key = subject.newKey();
      expect(await gateway.capture({ key, gatewayReference, ...amount })).toEqual({
        outcome: 'expired',
        gatewayReference,
      });
      expect(await gateway.void({ key: subject.newKey(), gatewayReference })).toMatchObject({ outcome: 'voided' });
      const again = await authorise(authorisationExpires);
      expect(again.gatewayReference).not.toBe(gatewayReference);
      expect(
        await gateway.capture({ key: subject.newKey(), gatewayReference: again.gatewayReference, ...amount }),
      ).toMatchObject({ outcome: 'captured' });
    });

    test('waits for the customer, and finds what the customer decided', async (context) => {
      const { completeAction } = subject;
      const { requiresAction } = subject.cards;
      if (completeAction === undefined || requiresAction === undefined) {
        return context.skip('needs a card with 3-D Secure and a customer to play');
      }
      const [approvedKey, refusedKey] = [subject.newKey(), subject.newKey()];
      const approved = await authorise(requiresAction, approvedKey);
      const refused = await authorise(requiresAction, refusedKey);
      expect(approved).toMatchObject({ outcome: 'requires_action', url: expect.any(String) });
      const { gatewayReference } = approved;
      expect((await gateway.capture({ key: subject.newKey(), gatewayReference, ...amount })).outcome).toBe('failed');
      const before = await lastCursor();
      await completeAction(gatewayReference, 'approve');
      await completeAction(refused.gatewayReference, 'refuse');

      expect((await gateway.find(approvedKey))?.answer).toMatchObject({ outcome: 'authorised', gatewayReference });
      expect((await gateway.find(refusedKey))?.answer.outcome).toBe('declined');
      expect((await booked(before)).map(({ key, answer }) => [key, answer.outcome])).toEqual([
        [approvedKey, 'authorised'],
        [refusedKey, 'declined'],
      ]);
      expect((await gateway.capture({ key: subject.newKey(), gatewayReference, ...amount })).outcome).toBe('captured');
    });

    test('tells all of one payment and nothing of another', async () => {
      const gatewayReference = await taken();
      const refundKey = subject.newKey();
      await gateway.refund({ key: refundKey, gatewayReference, amountMinor: 1000, currency: 'SGD' });
      await taken();
      const found = await gateway.operations(gatewayReference);
      expect(found.map(({ kind }) => kind)).toEqual(['authorise', 'capture', 'refund']);
      expect(new Set(found.map((one) => one.gatewayReference))).toEqual(new Set([gatewayReference]));
      expect(await gateway.find(refundKey, gatewayReference)).toMatchObject({ kind: 'refund', amountMinor: 1000 });
      expect(await gateway.operations('no-such-payment')).toEqual([]);
    });

    test('books a chargeback nobody asked for, once, and how it ended', async (context) => {
      const { chargeback, closeChargeback } = subject;
      if (chargeback === undefined || closeChargeback === undefined) return context.skip('needs a bank to play');
      const gatewayReference = await taken();
      const before = await lastCursor();
      const key = await chargeback(gatewayReference, 900);
      const booked1 = await booked(before);
      expect(booked1).toMatchObject([{ kind: 'chargeback', key, gatewayReference, amountMinor: 900, currency: 'SGD' }]);
      expect(booked1[0]?.answer).not.toHaveProperty('ended');
      expect(await gateway.find(key)).toMatchObject({ kind: 'chargeback', key });
      await closeChargeback(key, 'won');
      expect((await gateway.find(key, gatewayReference))?.answer).toMatchObject({
        outcome: 'charged_back',
        ended: 'won',
      });
      const found = await gateway.operations(gatewayReference);
      expect(found.filter(({ kind }) => kind === 'chargeback')).toHaveLength(1);
    });

    test('the book is read on from any cursor, and refuses one that is not its own', async () => {
      const before = await lastCursor();
      for (let n = 0; n < 5; n += 1) await held();
      const operations = await booked(before);
      expect(operations).toHaveLength(5);
      for (const [index, { cursor }] of operations.entries()) {
        expect(await booked(cursor)).toEqual(operations.slice(index + 1));
      }
      await refuses('invalid_request', booked('not a cursor'));
    });

    test('a restart forgets nothing', async (context) => {
      const { restart } = subject;
      if (restart === undefined) return context.skip('cannot be restarted');
      const [heldKey, captureKey] = [subject.newKey(), subject.newKey()];
      const authorised = await authorise(subject.cards.succeeds, heldKey);
      const { gatewayReference } = authorised;
      const captured = await taken();
      const operations = await booked();
      gateway = await restart();
      expect(await booked()).toEqual(operations);
      expect(await authorise(subject.cards.succeeds, heldKey)).toEqual(authorised);
      const answer = await gateway.capture({ key: captureKey, gatewayReference, ...amount });
      expect(answer.outcome).toBe('captured');
      const again = await gateway.capture({ key: subject.newKey(), gatewayReference: captured, ...amount });
      expect(again.outcome).toBe('failed');
      expect((await booked()).slice(0, operations.length)).toEqual(operations);
    });
  });
}

async function refuses(code: RequestRefusedCode, call: Promise<unknown>, secret?: string): Promise<void> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'RequestRefused', code });
  if (secret !== undefined) expect(String(error)).not.toContain(secret);
}
