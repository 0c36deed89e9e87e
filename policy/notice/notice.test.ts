import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MailMessage } from '../../adapters/mail.ts';
import type { MailboxEntry } from '../../adapters/sandbox/mail/mailbox.ts';
import { openSmtpMail } from '../../adapters/smtp-mail.ts';
import { startSmtpServer } from '../../adapters/testing-smtp-server.ts';
import { type House, openHouse } from '../../doctrine/house.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { addCard } from '../card/commands.ts';
import { freezeClock } from '../clock/commands.ts';
import { execute, type Policy, transaction } from '../core/command.ts';
import { runStatement } from '../core/transaction.ts';
import { registerCustomer } from '../customer/commands.ts';
import { changePlan } from '../order/commands.ts';
import { refundPayment } from '../payment/refund.ts';
import { steps } from '../steps.ts';
import { terminateLine } from '../subscription/line.ts';
import { reportUsage } from '../usage/commands.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

interface Line {
  id: string;
  msisdn: string;
  customerId: string;
  endsAt: Date;
  email: string;
}

async function lineOf(orderId: string): Promise<Line> {
  const { subscriptionId } = await house.state(orderId);
  const [row] = await runStatement<Line>(
    house.pool,
    `SELECT s."id", s."msisdn", s."customer_id", s."period_ends_at" AS ends_at, c."email" FROM "subscription" s
     JOIN "customer" c ON c."id" = s."customer_id" WHERE s."id" = $1`,
    [subscriptionId],
  );
  if (!row) throw new Error(`order ${orderId} has no line`);
  return row;
}

async function activeLine(card = 'tok_visa', plan = 'PLAN_S'): Promise<Line> {
  const order = await house.order(await house.customer(card), plan);
  await house.settle();
  return lineOf(order);
}

async function use(line: Line, kind: 'data' | 'voice', amount: number, unit: 'GB' | 'MB' | 'min'): Promise<void> {
  await reportUsage.single(house.policy, { msisdn: line.msisdn, kind, amount, unit }, house.caller);
  await house.settle();
}

async function goTo(at: Date): Promise<void> {
  await execute(house.policy, freezeClock, { at: at.toISOString() }, house.caller);
  await house.settle();
}

/** What a customer got, oldest first. */
async function mailTo(line: { email: string }): Promise<MailboxEntry[]> {
  return (await house.mail.messages({ to: line.email })).reverse();
}
const subjects = async (line: { email: string }) => (await mailTo(line)).map(({ subject }) => subject);

async function contacts(customerId: string): Promise<JsonObject[]> {
  const rows = await runStatement<{ document: unknown }>(
    house.pool,
    `SELECT "document" FROM "party_interaction" WHERE "customer_id" = $1 AND "document" #>> '{channel,0,id}' = 'mail' ORDER BY "id"`,
    [customerId],
  );
  return rows.map(({ document }) => document).filter(isJsonObject);
}

async function terminate(line: Line): Promise<void> {
  await transaction(house.policy, 'test.terminate', house.caller, {}, (tx) =>
    terminateLine(tx, line.id, { flow: 'line', subject: line.id, confirmed: 'release', refused: 'release' }),
  );
  await house.settle();
}

describe('a customer is told by mail', () => {
  it('of each payment, with what it was for and the tax in it, and that is an interaction', async () => {
    const line = await activeLine();
    const [receipt, ...more] = await mailTo(line);
    expect(more).toEqual([]);
    expect(receipt?.subject).toMatch(/^Receipt \d{8}: SGD 10\.00$/);
    expect(receipt?.text).toMatch(
      new RegExp(`For: +Lite\nNumber: +${line.msisdn}\nPaid: +SGD 10.00\nTax in it: +SGD 0.83\n`),
    );
    expect(receipt?.html).toContain(`<b>${line.msisdn}</b>`);
    expect(await contacts(line.customerId)).toMatchObject([
      {
        direction: 'outbound',
        status: 'completed',
        reason: 'receipt',
        description: `Sent: ${receipt?.subject}`,
        interactionItem: [{ item: { '@referredType': 'CustomerBill' } }],
      },
    ]);
    const [payment] = await runStatement<{ id: string }>(
      house.pool,
      'SELECT "id" FROM "payment" WHERE "customer_id" = $1',
      [line.customerId],
    );
    await execute(house.policy, refundPayment, { paymentId: payment?.id, amount: 4, reason: 'kindness' }, house.caller);
    await house.settle();
    expect((await subjects(line)).at(-1)).toMatch(/^Credit note \d{8}: SGD 4\.00$/);
  });

  it('once, when four fifths of a bucket are used, with what is left', async () => {
    const line = await activeLine();
    await use(line, 'data', 3.9, 'GB');
    expect(await subjects(line)).toHaveLength(1);
    await use(line, 'data', 0.3, 'GB');
    await use(line, 'data', 0.1, 'GB');
    const [, low, ...more] = await mailTo(line);
    expect(more).toEqual([]);
    expect(low?.subject).toBe(`84 % of Data used on ${line.msisdn}`);
    expect(low?.text).toMatch(
      /^4\.2 GB of 5 GB \(Data\) are used on .*^Data left: +819\.19 MB\nVoice left: +100 min$/ms,
    );
    await use(line, 'voice', 80, 'min');
    expect((await subjects(line)).at(-1)).toBe(`80 % of Voice used on ${line.msisdn}`);
  });

  it('when a service stops, once each time, and not of what came before it', async () => {
    const line = await activeLine();
    await use(line, 'data', 6, 'GB');
    await use(line, 'data', 1, 'GB');
    expect((await subjects(line)).slice(1)).toEqual([`${line.msisdn} is stopped: no data is left`]);
    await house.topUp(line.id, 'VAS_DATA_1GB');
    await house.settle();
    await use(line, 'voice', 100, 'min');
    await use(line, 'data', 1, 'GB');
    expect((await subjects(line)).slice(2)).toEqual([
      expect.stringMatching(/^Receipt .* SGD 3\.00$/),
      `Voice is stopped on ${line.msisdn}: nothing is left`,
      `${line.msisdn} is stopped: no data is left`,
    ]);
    // A top-up that came before the news: there is nothing to tell.
    await house.topUp(line.id, 'VAS_DATA_1GB');
    await house.settle();
    const before = (await subjects(line)).length;
    await reportUsage.single(house.policy, { msisdn: line.msisdn, kind: 'data', amount: 1, unit: 'GB' }, house.caller);
    await house.topUp(line.id, 'VAS_DATA_1GB');
    await house.worker(steps.filter(({ flow }) => flow !== 'notice')).drain();
    await house.settle();
    expect((await subjects(line)).slice(before)).toEqual([expect.stringMatching(/^Receipt /)]);
  });

  it('three days before a renewal, with the price; at a decline, once; and not of a renewal that will not be', async () => {
    const [renewing, declining, ended] = [
      await activeLine('tok_visa'),
      await activeLine('tok_renewal_declines'),
      await activeLine('tok_visa'),
    ];
    const changing = await activeLine('tok_visa');
    await execute(house.policy, changePlan, { subscriptionId: changing.id, offering: 'PLAN_M' }, house.caller);
    await house.settle();
    await terminate(ended);
    expect((await subjects(ended)).slice(1)).toEqual([`${ended.msisdn} has ended`]);
    await goTo(new Date(renewing.endsAt.getTime() - 3 * 86_400_000 - 60_000));
    expect((await subjects(renewing)).slice(1)).toEqual([]);
    await goTo(new Date(renewing.endsAt.getTime() - 3 * 86_400_000 + 60_000));
    const [, due, ...more] = await mailTo(renewing);
    expect(more).toEqual([]);
    expect(due?.subject).toMatch(new RegExp(`^Lite on ${renewing.msisdn} renews on `));
    expect(due?.text).toContain('will be charged SGD 10.00');
    expect((await mailTo(changing)).at(-1)?.text).toMatch(/^Standard on .* will be charged SGD 25\.00/m);
    await goTo(new Date(Math.max(renewing.endsAt.getTime(), declining.endsAt.getTime()) + 1000));
    expect((await subjects(renewing)).slice(2)).toEqual([expect.stringMatching(/^Receipt .* SGD 10\.00$/)]);
    expect((await subjects(declining)).slice(1)).toEqual([
      expect.stringMatching(/renews on/),
      `The renewal of ${declining.msisdn} was declined`,
    ]);
    expect((await subjects(ended)).slice(1)).toEqual([`${ended.msisdn} has ended`]);
  });

  it('of an order that failed, and why', async () => {
    const customerId = await house.customer('tok_declined');
    await house.order(customerId);
    await house.settle();
    const told = await contacts(customerId);
    expect(told).toMatchObject([{ reason: 'order failed', description: 'Sent: Your order of Lite failed' }]);
  });

  it('with a name that means harm only as text', async () => {
    const made = await execute(
      house.policy,
      registerCustomer,
      {
        givenName: 'Eve\r\nBcc: everybody@example.com',
        familyName: '<script>alert(1)</script>',
        email: 'eve-notice@example.com',
      },
      house.caller,
    );
    await execute(house.policy, addCard, { customerId: made.id, token: 'tok_declined_eve' }, house.caller);
    await house.order(made.id);
    await house.settle();
    const [message] = await mailTo({ email: 'eve-notice@example.com' });
    expect(message?.toName).not.toMatch(/[\r\n]/);
    expect(message?.html).not.toContain('<script');
    expect(message?.text.split('\n')[0]).toMatch(/^Hello Eve Bcc: everybody@example\.com/);
  });
});

describe('whatever becomes of the mail', () => {
  it('a customer without an address is skipped, and the interaction says so', async () => {
    const customerId = await house.customer('tok_declined');
    await transaction(house.policy, 'test.forget', house.caller, {}, async (tx) => {
      await tx.sql`UPDATE "customer" SET "email" = NULL WHERE "id" = ${customerId}`;
    });
    await house.order(customerId);
    await house.settle();
    expect(await contacts(customerId)).toMatchObject([
      { description: 'Not sent, the customer has no e-mail address: Your order of Lite failed' },
    ]);
  });

  it('a crash after it was handed over hands it over again under its key, and tells of it once', async () => {
    const sent: MailMessage[] = [];
    const crashing: Policy = {
      ...house.policy,
      outside: {
        ...house.policy.outside,
        mail: {
          kind: 'smtp',
          send: async (message) => {
            sent.push(message);
            if (sent.length < 3) throw new Error('the process died here');
          },
        },
      },
    };
    const customerId = await house.customer('tok_declined');
    await house.order(customerId);
    await house.settle(house.worker(undefined, crashing));
    expect(sent).toHaveLength(3);
    expect(new Set(sent.map((message) => JSON.stringify(message))).size).toBe(1);
    expect(await contacts(customerId)).toHaveLength(1);
  });

  it('by SMTP: a server that is away is waited for, one that refuses for good is believed', async () => {
    let server = await startSmtpServer();
    const mail = await openSmtpMail({ url: server.url, from: 'no-reply@airtime.example', timeoutMs: 20_000 });
    const worker = house.worker(undefined, { ...house.policy, outside: { ...house.policy.outside, mail } });
    try {
      const { port } = server;
      await server.close();
      const waiting = await house.customer('tok_declined');
      await house.order(waiting);
      await expect(house.settle(worker, 3)).rejects.toThrow(/work is left/);
      expect(house.putBack.at(-1)).toContain('OutcomeUnknown');
      expect(house.putBack.join()).not.toContain('@example.com');
      expect(await contacts(waiting)).toEqual([]);
      server = await startSmtpServer(port);
      await house.settle(worker);
      expect(server.taken.map(({ to }) => to)).toEqual([[expect.stringMatching(/@example\.com$/)]]);
      expect(await contacts(waiting)).toMatchObject([{ description: 'Sent: Your order of Lite failed' }]);

      server.refuse({ at: 'recipient', code: 550 });
      const refused = await house.customer('tok_declined');
      await house.order(refused);
      await house.settle(worker);
      expect(server.taken).toHaveLength(1);
      expect(await contacts(refused)).toMatchObject([
        {
          description: expect.stringMatching(
            /^Not delivered, it was refused \(.*550 to RCPT.*\): Your order of Lite failed$/,
          ),
        },
      ]);
    } finally {
      mail.close();
      await server.close();
    }
  });
});
