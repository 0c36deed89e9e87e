import { randomUUID } from 'node:crypto';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import type { Case } from './case.ts';
import { refusedHost } from './refused-host.ts';
import type { World } from './world.ts';

const email = () => `${randomUUID()}@example.com`;
const contact = (): JsonObject => ({ mediumType: 'email', characteristic: { emailAddress: email() } });
const person = { id: 'party-1', href: 'urn:party:1', name: 'Ada', '@referredType': 'Individual' };
const ticketBody: JsonObject = { description: 'It broke', severity: 'minor', ticketType: 'problem' };
const parent = (id: string): Json => [{ id, href: `urn:ticket:${id}`, name: 'The case', relationshipType: 'parent' }];
const begun = '2026-03-01T09:00:00Z';

/** A case with one ticket that is open. */
async function openCase(world: World): Promise<string> {
  const id = await world.made('TMF621 troubleTicket', ticketBody);
  await world.made('TMF621 troubleTicket', { ...ticketBody, troubleTicketRelationship: parent(id) });
  return id;
}

async function moved(world: World, id: string, status: string): Promise<void> {
  await world.change(
    `UPDATE "trouble_ticket" SET "state" = $2::text, "document" = jsonb_set("document", '{status}', to_jsonb($2::text)) WHERE "id" = $1`,
    [id, status],
  );
}

/** @returns the id of a token of its own. */
async function token(world: World): Promise<string> {
  const { body, text } = await world.tool('token.create', {
    name: 'to be rotated',
    audience: 'integrator',
    scopes: ['tools:*'],
  });
  if (!isJsonObject(body.result) || typeof body.result.id !== 'string') throw new Error(`no token was made: ${text}`);
  return body.result.id;
}

export const careCases: Readonly<Record<string, Case>> = {
  'customer.email_unique': async (world) => {
    const taken = email();
    await world.tool('customer.register', { givenName: 'Ada', familyName: 'Lim', email: taken });
    return world.tool('customer.register', { givenName: 'Bob', familyName: 'Tan', email: taken });
  },
  'customer.email_valid': (world) =>
    world.tool('customer.register', { givenName: 'Ada', familyName: 'Lim', email: `no at ${randomUUID()}` }),
  'customer.active_needs_contact_medium': (world) =>
    world.tmf('POST', 'TMF629 customer', { name: 'Ada', engagedParty: person, status: 'active' }),
  'customer.legal_transition': async (world) => {
    const id = await world.made('TMF629 customer', { name: 'Ada', engagedParty: person, contactMedium: [contact()] });
    return world.tmf('PATCH', `TMF629 customer/${id}`, { status: 'inactive' });
  },
  'customer.close_needs_no_live_line': async (world) => {
    const { customer } = await world.line();
    return world.tmf('PATCH', `TMF629 customer/${customer}`, { status: 'closed' });
  },
  'customer.delete_needs_no_history': async (world) => world.tmf('DELETE', `TMF629 customer/${await world.customer()}`),
  'interaction.ends_after_it_begins': (world) =>
    world.tmf('POST', 'TMF683 partyInteraction', {
      status: 'open',
      interactionDate: { startDateTime: begun, endDateTime: '2026-03-01T08:00:00Z' },
    }),
  'party_interaction.legal_transition': async (world) => {
    const id = await world.made('TMF683 partyInteraction', {
      status: 'completed',
      interactionDate: { startDateTime: begun },
    });
    return world.tmf('PATCH', `TMF683 partyInteraction/${id}`, { status: 'open' });
  },
  'trouble_ticket.legal_transition': async (world) => {
    const id = await world.made('TMF621 troubleTicket', ticketBody);
    return world.tool('ticket.move', { id, status: 'closed' });
  },
  'ticket.resolve_needs_note': async (world) => {
    const id = await world.made('TMF621 troubleTicket', ticketBody);
    await moved(world, id, 'inProgress');
    return world.tool('ticket.move', { id, status: 'resolved' });
  },
  'ticket.case_closes_after_its_tickets': async (world) => {
    const id = await openCase(world);
    await moved(world, id, 'resolved');
    return world.tool('ticket.move', { id, status: 'closed' });
  },
  'ticket.case_is_open': async (world) => {
    const caseId = await world.made('TMF621 troubleTicket', ticketBody);
    await moved(world, caseId, 'closed');
    return world.tool('ticket.open', { name: 'Late', description: 'It joins a closed case', caseId });
  },
  'ticket.not_its_own_case': async (world) => {
    const id = await world.made('TMF621 troubleTicket', ticketBody);
    return world.tmf('PATCH', `TMF621 troubleTicket/${id}`, { troubleTicketRelationship: parent(id) });
  },
  'ticket.delete_needs_no_open_tickets': async (world) =>
    world.tmf('DELETE', `TMF621 troubleTicket/${await openCase(world)}`),
  'hub.callback_allowed': (world) => world.tmf('POST', 'TMF622 hub', { callback: `https://${refusedHost}/listener` }),
  'token.customer_named': (world) =>
    world.tool('token.create', { name: 'of nobody', audience: 'customer', scopes: ['tools:*'] }),
  'token.customer_known': (world) =>
    world.tool('token.create', {
      name: 'of nobody',
      audience: 'customer',
      scopes: ['tools:*'],
      customerId: 'cus_none',
    }),
  'token.is_live': async (world) => {
    const id = await token(world);
    await world.change(`UPDATE "access_token" SET "expires_at" = "created_at" WHERE "id" = $1`, [id]);
    return world.tool('token.rotate', { id });
  },
  'token.rotated_once': async (world) => {
    const id = await token(world);
    await world.tool('token.rotate', { id });
    return world.tool('token.rotate', { id });
  },
  'number.range_fits': (world) => world.tool('number.load', { first: '999999', count: 2 }),
  'esim.batch_has_no_doubles': (world) => {
    const iccid = `8965${String(Date.now()).padStart(15, '0')}`;
    const profile = { iccid, activationCode: 'LPA:1$smdp.example.com$DOUBLE' };
    return world.tool('esim.load', { profiles: [profile, profile] });
  },
  'clock.needs_sandboxes': (world) => world.withRealGateway(() => world.tool('clock.freeze', {})),
  'clock.never_goes_back': async (world) => {
    const [before] = await world.rows<{ mode: string; frozenAt: Date | null }>(
      'SELECT "mode", "frozen_at" FROM "business_clock"',
    );
    const answer = await world.tool('clock.freeze', { at: '2001-01-01T00:00:00Z' });
    await world.change(
      before
        ? `UPDATE "business_clock" SET "mode" = $1, "frozen_at" = $2::timestamptz`
        : `UPDATE "business_clock" SET "mode" = 'wall', "frozen_at" = NULL WHERE $1::text IS NULL AND $2::timestamptz IS NULL`,
      [before?.mode ?? null, before?.frozenAt ?? null],
    );
    return answer;
  },
  'flow.needs_failed_step': (world) => world.tool('flow.retry', { id: 'stp_none' }),
  'idempotency.key_reused': async (world) => {
    const key = { 'Idempotency-Key': randomUUID() };
    await world.tmf('POST', 'TMF621 troubleTicket', ticketBody, key);
    return world.tmf('POST', 'TMF621 troubleTicket', { ...ticketBody, severity: 'major' }, key);
  },
};
