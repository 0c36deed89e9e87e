import { z } from 'zod';
import { notFound } from '../../kernel/error.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { belongsToCaller, isAnothers } from '../core/ownership.ts';
import { customerIdOf, objects, refs, text } from '../core/party.ts';
import {
  createResource,
  legalTransition,
  lockResource,
  type ResourceCommands,
  resourceCommands,
  type Stored,
  saveResource,
  storedShape,
} from '../core/resource.ts';
import { findRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { endedTicketStates } from './machine.ts';
import { caseOf, namedTickets, ticketResource } from './resource.ts';
import {
  caseClosesLast,
  caseDeletedLast,
  caseIsOpen,
  notItsOwnCase,
  resolveNeedsNote,
  type TicketFacts,
} from './rules.ts';

/** Fills a new ticket: its dates, `acknowledged` unless it comes from elsewhere in another state, and its history. */
function withDefaults(document: JsonObject, tx: Pick<Tx, 'now'>): JsonObject {
  const at = tx.now.toISOString();
  const status = text(document.status) ?? 'acknowledged';
  return {
    '@type': 'TroubleTicket',
    ...document,
    status,
    creationDate: text(document.creationDate) ?? at,
    lastUpdate: at,
    statusChangeDate: at,
    statusChange: [...objects(document.statusChange), statusChange(status, at, document)],
    ...(status === 'resolved' ? { resolutionDate: text(document.resolutionDate) ?? at } : {}),
  };
}

function statusChange(status: string, changeDate: string, document: JsonObject): JsonObject {
  const changeReason = text(document.statusChangeReason);
  return { '@type': 'StatusChange', status, changeDate, ...(changeReason === undefined ? {} : { changeReason }) };
}

/** Writes into a changed ticket when it changed and, when its status moved, when and why. */
function touched(document: JsonObject, before: JsonObject, tx: Pick<Tx, 'now'>): JsonObject {
  const at = tx.now.toISOString();
  const status = text(document.status);
  if (status === undefined || status === before.status) return { ...document, lastUpdate: at };
  return {
    ...document,
    lastUpdate: at,
    statusChangeDate: at,
    statusChange: [...objects(before.statusChange), statusChange(status, at, document)],
    ...(status === 'resolved' ? { resolutionDate: at } : {}),
  };
}

async function ticketFacts(
  tx: Tx,
  document: JsonObject,
  before: JsonObject | undefined,
): Promise<Pick<TicketFacts, 'caseState' | 'caseOwner' | 'openTickets'>> {
  const parentId = caseOf(document);
  let caseState: string | undefined;
  let caseOwner: string | undefined;
  if (parentId !== undefined && parentId !== document.id) {
    // Shared with other tickets of the case, and apart from its closing.
    const [parent] = await tx.sql<{
      state: string | null;
      customerId: string | null;
    }>`SELECT "state", "customer_id" FROM "trouble_ticket" WHERE "id" = ${parentId} FOR SHARE`;
    caseState = parent?.state ?? undefined;
    // A case that there is not, and one of nobody, is no customer's.
    caseOwner = parent?.customerId ?? '';
  }
  const id = before === undefined ? undefined : text(document.id);
  if (id === undefined) return { caseState, caseOwner, openTickets: [] };
  const open = await tx.sql<{ id: string }>`SELECT "id" FROM "trouble_ticket"
    WHERE ("parent_id" = ${id} OR "id" = ANY(${namedTickets(document)})) AND "id" <> ${id} AND NOT ("state" = ANY(${[...endedTicketStates]}))
    ORDER BY "id" LIMIT 20`;
  return { caseState, caseOwner, openTickets: open.map((ticket) => ticket.id) };
}

/** TMF621 has events of its own for a ticket that was resolved, and for one that waits to be told something. */
async function announce(tx: Tx, stored: Stored, before: JsonObject | undefined): Promise<Stored> {
  const status = stored.document.status;
  if (status === before?.status) return stored;
  const type =
    status === 'resolved'
      ? 'TroubleTicketResolvedEvent'
      : status === 'pending'
        ? 'TroubleTicketInformationRequiredEvent'
        : undefined;
  if (type !== undefined) {
    await appendEvent(tx, {
      type,
      resourceType: ticketResource.resource,
      resourceId: stored.id,
      sequence: stored.version,
      resource: stored.document,
      customerId: customerIdOf(stored.document),
    });
  }
  return stored;
}

export const ticketCommands: ResourceCommands = resourceCommands(ticketResource, {
  defaults: withDefaults,
  touch: touched,
  createRules: [resolveNeedsNote, notItsOwnCase, caseIsOpen],
  patchRules: [resolveNeedsNote, notItsOwnCase, caseIsOpen, caseClosesLast],
  removeRules: [caseDeletedLast],
  extraFacts: ticketFacts,
  afterCreate: (tx, stored) => announce(tx, stored, undefined),
  afterPatch: (tx, stored, before) => announce(tx, stored, before),
});

export interface NewTicket {
  customerId?: string;
  name: string;
  description: string;
  severity: string;
  ticketType: string;
  /** The ids of what it is about, as references the house made. */
  relatedEntity?: JsonObject[];
  /** The case it is part of. */
  caseId?: string;
  note?: string;
}

/** Opens a ticket inside another command's transaction: a chargeback, a chat that needs a person. */
export async function openTicket(tx: Tx, ticket: NewTicket): Promise<Stored> {
  return createResource(tx, ticketResource, withDefaults(documentOfNew(tx, ticket), tx));
}

/** Writes a note on a ticket inside another command's transaction. */
export async function noteOnTicket(tx: Tx, id: string, note: string): Promise<Stored> {
  return move(tx, await moveFacts(tx, id, undefined, note));
}

function documentOfNew(tx: Pick<Tx, 'now' | 'caller'>, ticket: NewTicket): JsonObject {
  return {
    name: ticket.name,
    description: ticket.description,
    severity: ticket.severity,
    ticketType: ticket.ticketType,
    ...(ticket.customerId === undefined ? {} : { relatedParty: [refs.customer(ticket.customerId)] }),
    ...(ticket.relatedEntity
      ? { relatedEntity: ticket.relatedEntity.map((entity) => ({ role: 'subject', ...entity })) }
      : {}),
    ...(ticket.caseId
      ? { troubleTicketRelationship: [{ ...refs.ticket(ticket.caseId), relationshipType: 'parent' }] }
      : {}),
    ...(ticket.note ? { note: [noteOf(tx, ticket.note)] } : {}),
  };
}

function noteOf(tx: Pick<Tx, 'now' | 'caller'>, words: string): JsonObject {
  return { '@type': 'Note', author: tx.caller.name, date: tx.now.toISOString(), text: words };
}

const severities = ['minor', 'major', 'critical'] as const;
const openInput = z.object({
  customerId: z.string().optional().describe('Whose problem it is'),
  name: z.string().min(1).max(200).describe('The problem in a few words'),
  description: z.string().min(1).max(4000).describe('What happened, and what was expected'),
  severity: z.enum(severities).default('minor').describe('How bad it is'),
  ticketType: z
    .string()
    .min(1)
    .max(60)
    .default('problem')
    .describe('What sort of ticket: problem, question, complaint'),
  caseId: z.string().optional().describe('The case it is part of'),
});

export const openTicketCommand = command<z.infer<typeof openInput>, TicketFacts, Stored>({
  name: 'ticket.open',
  summary: 'Open a trouble ticket',
  input: openInput,
  output: storedShape(ticketResource),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'write',
  positional: ['name', 'description'],
  examples: ['bss ticket open "No data" "Nothing loads since noon" --customer-id cus_…'],
  rules: [belongsToCaller<TicketFacts>(({ caseOwner, document }) => caseOwner ?? customerIdOf(document)), caseIsOpen],
  async facts(tx, input) {
    // Whoever is a customer speaks only for themselves.
    const customerId = tx.caller.customerId ?? input.customerId;
    if (customerId !== undefined && !(await findRow(tx, 'customer', { id: customerId }))) {
      throw notFound('customer', customerId);
    }
    const { customerId: _, caseId, ...rest } = input;
    const ticket: NewTicket = {
      ...rest,
      ...(customerId === undefined ? {} : { customerId }),
      ...(caseId === undefined ? {} : { caseId }),
    };
    const document = withDefaults(documentOfNew(tx, ticket), tx);
    return { id: '', document, version: 0n, before: undefined, ...(await ticketFacts(tx, document, undefined)) };
  },
  apply: (tx, facts) => createResource(tx, ticketResource, facts.document),
});

interface MoveFacts extends TicketFacts {
  stored: Stored;
}

async function moveFacts(
  tx: Tx,
  id: string,
  status: string | undefined,
  words: string | undefined,
): Promise<MoveFacts> {
  const stored = await lockResource(tx, ticketResource, id);
  const document: JsonObject = {
    ...stored.document,
    ...(status === undefined ? {} : { status }),
    ...(words === undefined ? {} : { note: [...objects(stored.document.note), noteOf(tx, words)] }),
  };
  return {
    id,
    document,
    version: stored.version,
    before: stored.document,
    stored,
    ...(await ticketFacts(tx, document, stored.document)),
  };
}

async function move(tx: Tx, facts: MoveFacts): Promise<Stored> {
  const before = facts.stored.document;
  const stored = await saveResource(tx, ticketResource, facts.stored, touched(facts.document, before, tx));
  return announce(tx, stored, before);
}

const words = z.string().min(1).max(4000);
const noteInput = z.object({ id: z.string().describe('The ticket'), text: words.describe('The note') });

export const noteTicket = command<z.infer<typeof noteInput>, MoveFacts, Stored>({
  name: 'ticket.note',
  summary: 'Add a note to a ticket',
  input: noteInput,
  output: storedShape(ticketResource),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'write',
  positional: ['id', 'text'],
  examples: ['bss ticket note tck_… "The customer restarted the phone"'],
  rules: [belongsToCaller<MoveFacts>(({ stored }) => customerIdOf(stored.document))],
  async facts(tx, input) {
    const facts = await moveFacts(tx, input.id, undefined, input.text);
    // One of somebody else is answered like one that there is not.
    if (isAnothers(tx, customerIdOf(facts.document))) throw notFound('troubleTicket', input.id);
    return facts;
  },
  apply: move,
});

const moveInput = z.object({
  id: z.string().describe('The ticket'),
  status: z
    .enum(['inProgress', 'pending', 'held', 'resolved', 'closed', 'rejected', 'cancelled'])
    .describe('Where it goes'),
  note: words.optional().describe('Why, or how; a ticket is resolved with one'),
});

export const moveTicket = command<z.infer<typeof moveInput>, MoveFacts, Stored>({
  name: 'ticket.move',
  summary: 'Move a ticket to another status',
  input: moveInput,
  output: storedShape(ticketResource),
  audience: ['operator', 'integrator'],
  effect: 'write',
  positional: ['id', 'status'],
  examples: ['bss ticket move tck_… resolved --note "The mast is repaired"'],
  rules: [legalTransition(ticketResource), resolveNeedsNote, caseClosesLast],
  facts: (tx, input) => moveFacts(tx, input.id, input.status, input.note),
  apply: move,
});
