import { confirmationRules } from '../../policy/core/confirmation.ts';
import { alertCases } from './alert-cases.ts';
import { careCases } from './care-cases.ts';
import type { Case } from './case.ts';
import { catalogueCases } from './catalogue-cases.ts';
import { chatCases } from './chat-cases.ts';
import { confirmationCases } from './confirmation-cases.ts';
import { lifeCases } from './life-cases.ts';
import { lineCases } from './line-cases.ts';
import { orderCases } from './order-cases.ts';
import { payingCases } from './paying-cases.ts';
import { portalCases } from './portal-cases.ts';

/** A rule that is judged inside a function of the database and has no switch there: what is taken out of the function. */
export interface Planted {
  readonly routine: string;
  readonly without: string;
}

export const cases: Readonly<Record<string, Case>> = {
  ...alertCases,
  ...careCases,
  ...catalogueCases,
  ...chatCases,
  ...confirmationCases,
  ...lifeCases,
  ...lineCases,
  ...orderCases,
  ...payingCases,
  ...portalCases,
};

/** Rules of the database that no caller can switch off, not even a test: the function is replaced in the test's own. */
export const planted: Readonly<Record<string, Planted>> = {
  'usage.number_known': {
    routine: 'usage_refusal',
    without: `IF p_line_id IS NULL THEN RETURN 'usage.number_known'; END IF;`,
  },
};

/** Rules that no command carries, since a door judges them before any command is reached. */
export const rulesOfDoors: readonly string[] = [
  'card.number_never_stored',
  'idempotency.key_reused',
  ...confirmationRules.map(({ code }) => code),
];
