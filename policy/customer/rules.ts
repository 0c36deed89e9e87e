import { objects, text } from '../core/party.ts';
import type { ResourceFacts } from '../core/resource.ts';
import { rule } from '../core/rule.ts';

export interface CustomerFacts extends ResourceFacts {
  email: string | undefined;
  emailOwner: string | undefined;
  liveLines: number;
}

export const emailUnique = rule<CustomerFacts>({
  code: 'customer.email_unique',
  sentence: 'This email already belongs to another customer.',
  kept: (facts) => facts.emailOwner === undefined || facts.emailOwner === facts.id,
});

const emailForm = /^[^\s@]{1,64}@[^\s@.]+(\.[^\s@.]+)+$/;

export const emailValid = rule<CustomerFacts>({
  code: 'customer.email_valid',
  sentence: 'The email address has no valid form.',
  kept: (facts) => facts.email === undefined || (facts.email.length <= 254 && emailForm.test(facts.email)),
});

export const activeNeedsContact = rule<CustomerFacts>({
  code: 'customer.active_needs_contact_medium',
  sentence: 'A customer needs a contact medium to be active.',
  kept: (facts) => text(facts.document.status) !== 'active' || objects(facts.document.contactMedium).length > 0,
});

export const closeNeedsNoLine = rule<CustomerFacts>({
  code: 'customer.close_needs_no_live_line',
  sentence: 'A customer with a live line cannot be closed.',
  status: 409,
  kept: (facts) => text(facts.document.status) !== 'closed' || facts.liveLines === 0,
  shown: (facts) => ({ liveLines: facts.liveLines }),
});

export const deleteNeedsNoLedger = rule<CustomerFacts & { ledger: number }>({
  code: 'customer.delete_needs_no_history',
  sentence: 'A customer with orders, cards, lines or payments is closed, not deleted.',
  status: 409,
  kept: (facts) => facts.ledger === 0,
  shown: (facts) => ({ dependants: facts.ledger }),
});
