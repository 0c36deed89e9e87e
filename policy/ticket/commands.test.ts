import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../kernel/json.ts';
import { execute, type Policy, transaction } from '../core/command.ts';
import {
  create,
  expectOnlyTableMoves,
  expectRule,
  given,
  patch,
  remove,
  stored,
  type TestPolicy,
  testOperator,
  testPolicy,
} from '../core/testing.ts';
import { moveTicket, noteTicket, openTicket, openTicketCommand, ticketCommands } from './commands.ts';
import { ticketResource } from './resource.ts';

let test: TestPolicy;
beforeAll(async () => {
  test = await testPolicy();
});
afterAll(() => test.close());

const body = (more: JsonObject = {}): JsonObject => ({
  description: 'Nothing loads',
  severity: 'minor',
  ticketType: 'problem',
  ...more,
});
const inCase = (id: string): JsonObject => ({ troubleTicketRelationship: [{ id, relationshipType: 'parent' }] });
const open = (more: JsonObject = {}) => create(test.policy, ticketCommands, body(more));
const to = (id: string, ...states: string[]) =>
  states.reduce<Promise<unknown>>(
    (before, status) => before.then(() => patch(test.policy, ticketCommands, id, { status })),
    Promise.resolve(),
  );

describe('a ticket', () => {
  it('is acknowledged, with its dates and the start of its history', async () => {
    const { document } = await open({ statusChangeReason: 'mailed in' });
    const at = document.creationDate;
    expect(document).toMatchObject({
      '@type': 'TroubleTicket',
      status: 'acknowledged',
      lastUpdate: at,
      statusChangeDate: at,
      statusChange: [{ status: 'acknowledged', changeDate: at, changeReason: 'mailed in' }],
    });
  });

  it('remembers each status, announces the ones that have an event of their own', async () => {
    const ticket = await open();
    await to(ticket.id, 'inProgress', 'pending', 'inProgress');
    await patch(test.policy, ticketCommands, ticket.id, {
      status: 'resolved',
      statusChangeReason: 'repaired',
      note: [{ text: 'The mast is repaired' }],
    });
    await to(ticket.id, 'closed');
    const now = await stored(test.policy, ticketResource, ticket.id);
    expect(now?.document.resolutionDate).toEqual(expect.any(String));
    expect(now?.document.statusChange).toMatchObject([
      { status: 'acknowledged' },
      { status: 'inProgress' },
      { status: 'pending' },
      { status: 'inProgress' },
      { status: 'resolved', changeReason: 'repaired' },
      { status: 'closed' },
    ]);
    const events = await test.events(ticket.id);
    const change = 'TroubleTicketStatusChangeEvent';
    expect(events.map((event) => event.type)).toEqual([
      'TroubleTicketCreateEvent',
      change,
      change,
      'TroubleTicketInformationRequiredEvent',
      change,
      change,
      'TroubleTicketResolvedEvent',
      change,
    ]);
  });

  it('moves only along its states', async () => {
    const note = [{ text: 'Done' }];
    await expectOnlyTableMoves(test.policy, ticketResource, ticketCommands, 'status', body({ note }));
  });

  it('is resolved with a note', async () => {
    const code = 'ticket.resolve_needs_note';
    const ticket = await given(test.policy, ticketResource, body({ status: 'inProgress' }));
    for (const note of [undefined, [], [{ text: '  ' }], [{ author: 'Nobody' }]]) {
      const change: JsonObject = { status: 'resolved', ...(note ? { note } : {}) };
      await expect(patch(test.policy, ticketCommands, ticket.id, change)).rejects.toMatchObject({ code, status: 422 });
    }
    await expectRule(test, code, 422, (policy) => patch(policy, ticketCommands, ticket.id, { status: 'resolved' }));
    await expectRule(test, code, 422, (policy) => create(policy, ticketCommands, body({ status: 'resolved' })));
  });

  it('is deleted', async () => {
    const ticket = await open();
    await remove(test.policy, ticketCommands, ticket.id);
    expect(await stored(test.policy, ticketResource, ticket.id)).toBeUndefined();
  });
});

describe('a case', () => {
  it('closes after its tickets, whichever side names them', async () => {
    const code = 'ticket.case_closes_after_its_tickets';
    const note = [{ text: 'Done' }];
    const named = await open();
    const whole = await given(
      test.policy,
      ticketResource,
      body({ status: 'resolved', note, troubleTicketRelationship: [{ id: named.id, relationshipType: 'child' }] }),
    );
    const child = await open(inCase(whole.id));
    const close = () => patch(test.policy, ticketCommands, whole.id, { status: 'closed' });
    await expect(close()).rejects.toMatchObject({
      code,
      status: 409,
      facts: { openTickets: [named.id, child.id].sort() },
    });
    await to(named.id, 'cancelled');
    await expect(close()).rejects.toMatchObject({ code, facts: { openTickets: [child.id] } });
    await expect(
      execute(test.policy, moveTicket, { id: whole.id, status: 'closed' }, testOperator),
    ).rejects.toMatchObject({ code });
    await expectRule(test, 'ticket.delete_needs_no_open_tickets', 409, async (policy) => {
      const copy = await given(test.policy, ticketResource, body({ status: 'acknowledged' }));
      await open(inCase(copy.id));
      return remove(policy, ticketCommands, copy.id);
    });
    await to(child.id, 'rejected');
    await close();
    await expectRule(test, code, 409, async (policy) => {
      const other = await given(test.policy, ticketResource, body({ status: 'resolved', note }));
      await open(inCase(other.id));
      return patch(policy, ticketCommands, other.id, { status: 'closed' });
    });
  });

  it('takes no ticket once it has closed, and keeps those it had', async () => {
    const code = 'ticket.case_is_open';
    const whole = await given(test.policy, ticketResource, body({ status: 'resolved', note: [{ text: 'Done' }] }));
    const old = await given(test.policy, ticketResource, body({ status: 'cancelled', ...inCase(whole.id) }));
    await to(whole.id, 'closed');
    await patch(test.policy, ticketCommands, old.id, { description: 'Still part of it' });
    await expectRule(test, code, 409, (policy) => create(policy, ticketCommands, body(inCase(whole.id))));
    await expectRule(test, code, 409, (policy) =>
      execute(policy, openTicketCommand, { name: 'Late', description: 'Late', caseId: whole.id }, testOperator),
    );
    const late = await open();
    await expectRule(test, code, 409, (policy) => patch(policy, ticketCommands, late.id, inCase(whole.id)));
  });

  it('is never part of itself', async () => {
    const ticket = await open();
    await expectRule(test, 'ticket.not_its_own_case', 422, (policy) =>
      patch(policy, ticketCommands, ticket.id, inCase(ticket.id)),
    );
  });

  it('may be kept by somebody else', async () => {
    const ticket = await open(inCase('CASE-OF-SOMEBODY-ELSE'));
    expect(ticket.document).toMatchObject(inCase('CASE-OF-SOMEBODY-ELSE'));
  });
});

describe('the verbs of a ticket', () => {
  const run = (policy: Policy, id: string, status: string, note?: string) =>
    execute(policy, moveTicket, { id, status, note }, testOperator);

  it('open, note and move it', async () => {
    const ticket = await execute(
      test.policy,
      openTicketCommand,
      { name: 'No data', description: 'Since noon' },
      testOperator,
    );
    expect(ticket.document).toMatchObject({ status: 'acknowledged', severity: 'minor', ticketType: 'problem' });
    await execute(test.policy, noteTicket, { id: ticket.id, text: 'Phone restarted' }, testOperator);
    await run(test.policy, ticket.id, 'inProgress');
    const done = await run(test.policy, ticket.id, 'resolved', 'Mast repaired');
    expect(done.document).toMatchObject({
      status: 'resolved',
      note: [{ author: 'Test operator', text: 'Phone restarted' }, { text: 'Mast repaired' }],
    });
    await expect(run(test.policy, ticket.id, 'cancelled')).rejects.toMatchObject({
      code: 'trouble_ticket.legal_transition',
    });
  });

  it('refuse to resolve without a note, unless one is there', async () => {
    const ticket = await given(test.policy, ticketResource, body({ status: 'inProgress' }));
    await expectRule(test, 'ticket.resolve_needs_note', 422, (policy) => run(policy, ticket.id, 'resolved'));
  });

  it('know their customers', async () => {
    const input = { name: 'No data', description: 'Since noon', customerId: 'cus_none' };
    await expect(execute(test.policy, openTicketCommand, input, testOperator)).rejects.toMatchObject({ status: 404 });
  });

  it('are there for other commands too', async () => {
    const ticket = await transaction(test.policy, 'test.open', testOperator, {}, (tx) =>
      openTicket(tx, {
        customerId: 'cus_1',
        name: 'Chargeback',
        description: 'The bank took 10.00 back.',
        severity: 'major',
        ticketType: 'chargeback',
        relatedEntity: [{ id: 'pay_1', '@referredType': 'Payment' }],
      }),
    );
    expect(ticket.document).toMatchObject({
      status: 'acknowledged',
      relatedEntity: [{ id: 'pay_1', role: 'subject' }],
    });
    const [created] = await test.events(ticket.id);
    expect(created?.type).toBe('TroubleTicketCreateEvent');
  });
});
