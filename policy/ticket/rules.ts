import { objects, text } from '../core/party.ts';
import type { ResourceFacts } from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { caseOf } from './resource.ts';

export interface TicketFacts extends ResourceFacts {
  /** The state of the case it is part of; undefined when it is part of none of ours. */
  caseState: string | undefined;
  /** Whose case that is; empty for nobody's. */
  caseOwner: string | undefined;
  /** Its own tickets on which work goes on. */
  openTickets: readonly string[];
}

export const resolveNeedsNote = rule<TicketFacts>({
  code: 'ticket.resolve_needs_note',
  sentence: 'A ticket is resolved with a note that says how.',
  kept: ({ document }) =>
    document.status !== 'resolved' || objects(document.note).some((note) => (text(note.text) ?? '').trim() !== ''),
});

export const caseClosesLast = rule<TicketFacts>({
  code: 'ticket.case_closes_after_its_tickets',
  sentence: 'A case closes after its tickets: some of them are still open.',
  status: 409,
  kept: (facts) => facts.document.status !== 'closed' || facts.openTickets.length === 0,
  shown: (facts) => ({ openTickets: facts.openTickets }),
});

export const caseIsOpen = rule<TicketFacts>({
  code: 'ticket.case_is_open',
  sentence: 'A ticket cannot join a case that has closed.',
  status: 409,
  kept: ({ document, before, caseState }) =>
    caseState !== 'closed' || (before !== undefined && caseOf(before) === caseOf(document)),
  shown: ({ document }) => ({ case: caseOf(document) }),
});

export const notItsOwnCase = rule<TicketFacts>({
  code: 'ticket.not_its_own_case',
  sentence: 'A ticket cannot be part of itself.',
  kept: ({ document }) => caseOf(document) === undefined || caseOf(document) !== document.id,
});

export const caseDeletedLast = rule<TicketFacts>({
  code: 'ticket.delete_needs_no_open_tickets',
  sentence: 'A case with open tickets cannot be deleted.',
  status: 409,
  kept: (facts) => facts.openTickets.length === 0,
  shown: (facts) => ({ openTickets: facts.openTickets }),
});
