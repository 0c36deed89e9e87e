import type { SignUp } from '../parts.ts';
import type { Visit } from '../route.ts';
import { type Offering, offeringsOf } from './plans.tsx';

export async function planOf(visit: Visit, code: string): Promise<Offering | undefined> {
  return (await offeringsOf(visit, 'plan')).find((one) => one.code === code || one.id === code);
}

/** The draft of this visit, or the screen where one begins. */
export async function draftOf(visit: Visit): Promise<SignUp | undefined> {
  return visit.secret === '' ? undefined : visit.parts.door.readSignUp(visit.secret);
}

/** Whether the number that was chosen is kept no more: somebody else may have it by now. */
export const isLost = ({ number }: SignUp): boolean => number !== null && number.heldUntil === null;
