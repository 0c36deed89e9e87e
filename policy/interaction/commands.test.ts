import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transaction } from '../core/command.ts';
import { refs } from '../core/party.ts';
import { checkContract } from '../core/resource.ts';
import {
  create,
  expectOnlyTableMoves,
  expectRule,
  patch,
  remove,
  stored,
  type TestPolicy,
  testOperator,
  testPolicy,
} from '../core/testing.ts';
import { customerCommands } from '../customer/commands.ts';
import { ticketCommands } from '../ticket/commands.ts';
import { interactionCommands, logInteraction } from './commands.ts';
import { interactionResource } from './resource.ts';

let test: TestPolicy;
beforeAll(async () => {
  test = await testPolicy();
});
afterAll(() => test.close());

const interactionDate = { startDateTime: '2026-01-01T09:00:00Z', endDateTime: '2026-01-01T09:05:00Z' };

describe('an interaction', () => {
  it('is open until it is completed, and says since when', async () => {
    const made = await create(test.policy, interactionCommands, { reason: 'question', interactionDate });
    expect(made.document).toMatchObject({
      '@type': 'PartyInteraction',
      status: 'open',
      creationDate: expect.any(String),
      statusChangeDate: expect.any(String),
      interactionDate,
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const described = await patch(test.policy, interactionCommands, made.id, { description: 'Asked about roaming' });
    expect(described.document.statusChangeDate).toBe(made.document.statusChangeDate);
    const moved = await patch(test.policy, interactionCommands, made.id, { status: 'inProgress' });
    expect(moved.document.statusChangeDate).not.toBe(made.document.statusChangeDate);
    await remove(test.policy, interactionCommands, made.id);
    expect((await test.events(made.id)).map((event) => event.type)).toEqual([
      'PartyInteractionCreateEvent',
      'PartyInteractionAttributeValueChangeEvent',
      'PartyInteractionStatusChangeEvent',
      'PartyInteractionDeleteEvent',
    ]);
  });

  it('begins now where nobody says when', async () => {
    const made = await create(test.policy, interactionCommands, {});
    expect(made.document).toMatchObject({ interactionDate: { startDateTime: made.document.creationDate } });
  });

  it('moves only along its states', async () => {
    await expectOnlyTableMoves(test.policy, interactionResource, interactionCommands, 'status', { interactionDate });
  });

  it('begins before it ends', async () => {
    const backwards = { startDateTime: interactionDate.endDateTime, endDateTime: interactionDate.startDateTime };
    const code = 'interaction.ends_after_it_begins';
    await expectRule(test, code, 422, (policy) => create(policy, interactionCommands, { interactionDate: backwards }));
    const made = await create(test.policy, interactionCommands, { interactionDate });
    await expectRule(test, code, 422, (policy) =>
      patch(policy, interactionCommands, made.id, { interactionDate: backwards }),
    );
  });

  it('is written down by whatever a contact came to', async () => {
    const made = await transaction(test.policy, 'test.contact', testOperator, {}, (tx) =>
      logInteraction(tx, {
        customerId: 'cus_1',
        reason: 'top-up',
        description: 'Bought 1 GB',
        direction: 'inbound',
        about: [{ id: 'ord_1', href: 'airtime:/tmf-api/x/ord_1', '@referredType': 'ProductOrder' }],
      }),
    );
    await checkContract(interactionResource, made);
    expect(await stored(test.policy, interactionResource, made.id)).toMatchObject({
      document: {
        status: 'completed',
        direction: 'inbound',
        channel: [{ id: 'tmf' }],
        relatedParty: [{ id: 'cus_1', role: 'customer' }],
        interactionItem: [{ item: { id: 'ord_1' } }],
      },
    });
  });
});

describe('a contact', () => {
  const toldOf = async (customerId: string) => {
    const { rows } = await test.policy.pool.query<{ reason: string; about: string | null }>(
      `SELECT "document" ->> 'reason' AS reason, "document" #>> '{interactionItem,0,item,id}' AS about FROM "party_interaction"
       WHERE "customer_id" = $1 ORDER BY "id"`,
      [customerId],
    );
    return rows;
  };

  const customer = (name: string) =>
    create(test.policy, customerCommands, {
      name,
      engagedParty: { id: `ind_${name}`, name, '@referredType': 'Individual' },
    });

  it('is told of whom a command was about, once, whether it wrote the customer itself or found it there', async () => {
    const ada = await customer('Ada');
    await patch(test.policy, customerCommands, ada.id, { name: 'Ada Lim' });
    const relatedParty = [refs.customer(ada.id)];
    const ticket = await create(test.policy, ticketCommands, {
      description: 'It is slow.',
      severity: 'low',
      ticketType: 'complaint',
      relatedParty,
    });
    await create(test.policy, interactionCommands, { reason: 'asked', interactionDate, relatedParty });
    expect(await toldOf(ada.id)).toEqual([
      { reason: 'customer created', about: ada.id },
      { reason: 'customer changed', about: ada.id },
      { reason: 'ticket created', about: ticket.id },
      { reason: 'asked', about: null },
    ]);
  });

  it('is told of nobody who is not there: not any more, or never was', async () => {
    const gone = await customer('Gone');
    const before = await toldOf(gone.id);
    await remove(test.policy, customerCommands, gone.id);
    expect(await toldOf(gone.id)).toEqual(before);
    const relatedParty = [refs.customer('cus_nobody')];
    await create(test.policy, ticketCommands, {
      description: 'It is slow.',
      severity: 'low',
      ticketType: 'complaint',
      relatedParty,
    });
    expect(await toldOf('cus_nobody')).toEqual([]);
  });
});
