import type { Caller } from '../kernel/caller.ts';
import { Refusal } from '../kernel/error.ts';
import { isJsonObject } from '../kernel/json.ts';
import { type AnyCommand, execute, type Policy } from '../policy/core/command.ts';
import { holdNumber } from '../policy/inventory/wanted.ts';
import { enterDesk } from '../policy/session/desk.ts';
import type { Tried } from '../policy/session/one-time-code.ts';
import { giveSecondCode, requestSecondCode } from '../policy/session/second-code.ts';
import { formToken, isFormToken } from '../policy/session/secret.ts';
import {
  beginSession,
  type Entered,
  endSession,
  findSession,
  noSession,
  type PortalSession,
  portalCaller,
  type SessionKind,
} from '../policy/session/session.ts';
import { type ByLink, enterByCode, enterByLink, type Made, requestSignIn } from '../policy/session/sign-in.ts';
import {
  chooseCard,
  confirmSignUp,
  confirmSignUpOrder,
  offerNumbers,
  readSignUp,
  recordSignUpOrder,
  requestSignUpCode,
  type SignUp,
  signUpOrder,
  startSignUp,
} from '../policy/sign-up/commands.ts';
import type { ToolDoor } from './registry.ts';

export type { Entered, PortalSession, SessionKind, SignUp };

export interface SignUpDetails {
  /** The plan, by code. */
  offering: string;
  givenName: string;
  familyName: string;
  email: string;
  phone?: string | undefined;
}

/**
 * What the pages do before, beside and around the tools: sessions, signing in and up, and the second code. `secret` is
 * what the cookie holds. None of this is a tool: no other surface has it.
 * Everything that needs a session throws AirtimeError 401 `session.needed` when there is none of the right kind.
 */
export interface PortalDoor {
  /** A session for a visitor: made when a form is shown to somebody who has none. */
  begin(): Promise<Entered>;
  find(secret: string): Promise<PortalSession | undefined>;
  end(secret: string): Promise<void>;
  /** What each form of the session carries in a hidden field. */
  formToken(secret: string): string;
  isFormToken(secret: string, given: string): boolean;

  /**
   * Is answered alike, and as soon, whoever has the address. Five times an hour from one session, thirty for one address.
   * @throws Refusal `one_time_code.asks_at_most`
   */
  requestSignIn(secret: string, asked: { email: string }): Promise<void>;
  /** @throws Refusal `one_time_code.…` */
  signIn(secret: string, given: { code: string }): Promise<Entered>;
  /**
   * The link that a new address got proves it, and signs nobody in.
   * @throws Refusal `one_time_code.…`
   */
  signInByLink(secret: string | undefined, given: { token: string }): Promise<Entered | 'addressProven'>;
  /** By an operator’s token, or by the token of a link. @throws Refusal `desk.token_is_live` */
  signInToDesk(secret: string | undefined, given: { token: string }): Promise<Entered>;

  startSignUp(secret: string, details: SignUpDetails): Promise<SignUp>;
  readSignUp(secret: string): Promise<SignUp | undefined>;
  offerNumbers(secret: string): Promise<string[]>;
  /** @throws Refusal `number.…` */
  holdNumber(secret: string, chosen: { msisdn: string }): Promise<{ msisdn: string; heldUntil: string }>;
  /** Before there is a customer it is kept with the draft, afterwards on file. @throws Refusal `card.…` */
  keepCard(secret: string, card: { token: string }): Promise<void>;
  /** @throws Refusal `sign_up.is_whole`, `one_time_code.asks_at_most` */
  requestSignUpCode(secret: string): Promise<void>;
  /** @throws Refusal `one_time_code.…`, `customer.…` */
  confirmSignUp(secret: string, given: { code: string }): Promise<Entered>;
  /** Orders what was chosen; the same again finds the order that there is. @throws Refusal of a rule of ordering */
  buySignUp(secret: string): Promise<{ orderId: string }>;

  /** Mails the code for a proposal of this session. `what` stands in the letter: what the code confirms. */
  requestSecondCode(secret: string, proposed: { confirmation: string; what?: string }): Promise<void>;
  /** Afterwards `confirm` of the tools takes the confirmation. @throws Refusal `one_time_code.…` */
  giveSecondCode(secret: string, given: { confirmation: string; code: string }): Promise<void>;
}

export interface PortalParts {
  readonly policy: Policy;
  readonly tools: Pick<ToolDoor, 'run' | 'propose' | 'confirm'>;
  /** There may be a letter to send: nobody waits for the next round. */
  readonly wake?: () => void;
}

export function portalOf({ policy, tools, wake }: PortalParts): PortalDoor {
  const run = <Input, Facts, Output>(
    definition: Parameters<typeof execute<Input, Facts, Output>>[1],
    input: unknown,
  ): Promise<Output> => execute(policy, definition, input, portalCaller());

  /** A try that failed was counted; only then is it refused. */
  async function tried<T>(
    definition: Parameters<typeof execute<never, never, Tried<T>>>[1] | AnyCommand,
    input: unknown,
  ): Promise<T> {
    const answer: Tried<T> = await execute(policy, definition, input, portalCaller(), { keepRefused: true });
    if ('refused' in answer) {
      const { code, message, facts, status } = answer.refused;
      throw new Refusal(code, message, facts, status === 409 ? 409 : 422);
    }
    return answer.done;
  }

  async function entered({ secret, maxAgeSeconds }: Made): Promise<Entered> {
    const session = await findSession(policy, secret);
    if (!session) throw noSession();
    return { secret, maxAgeSeconds, session };
  }

  async function sessionOf(secret: string, kinds: readonly SessionKind[]): Promise<PortalSession> {
    const session = await findSession(policy, secret);
    if (!session || !kinds.includes(session.kind)) throw noSession();
    return session;
  }

  async function customerOf(secret: string): Promise<Caller> {
    const { caller } = await sessionOf(secret, ['customer']);
    if (!caller) throw noSession();
    return caller;
  }

  async function theSignUp(secret: string): Promise<SignUp> {
    const found = await readSignUp(policy, secret);
    if (!found) throw noSession();
    return found;
  }

  return {
    begin: async () => entered(await run(beginSession, {})),
    find: (secret) => findSession(policy, secret),
    end: async (session) => {
      await run(endSession, { session });
    },
    formToken,
    isFormToken,

    requestSignIn: async (session, { email }) => {
      await run(requestSignIn, { session, email });
      wake?.();
    },
    signIn: async (session, { code }) => entered(await tried<Made>(enterByCode, { session, code })),
    signInByLink: async (session, { token }) => {
      const came = await tried<ByLink>(enterByLink, { session, token });
      if (came !== 'addressProven') return entered(came);
      wake?.();
      return came;
    },
    signInToDesk: async (session, { token }) => entered(await run(enterDesk, { session, token })),

    startSignUp: async (session, details) => {
      await run(startSignUp, { session, ...details });
      return theSignUp(session);
    },
    readSignUp: (secret) => readSignUp(policy, secret),
    offerNumbers: async (secret) => {
      await sessionOf(secret, ['visitor', 'customer']);
      return offerNumbers(policy);
    },
    holdNumber: (session, { msisdn }) => run(holdNumber, { session, msisdn }),
    keepCard: async (session, { token }) => {
      const { kind, caller } = await sessionOf(session, ['visitor', 'customer']);
      if (kind === 'customer' && caller) await tools.run('card.add', { token, isPreferred: true }, caller);
      else await run(chooseCard, { session, token });
    },
    requestSignUpCode: async (session) => {
      await run(requestSignUpCode, { session });
      wake?.();
    },
    confirmSignUp: async (session, { code }) => entered(await tried<Made>(confirmSignUp, { session, code })),
    buySignUp: async (session) => {
      const caller = await customerOf(session);
      const signUp = await theSignUp(session);
      if (signUp.state === 'ordered' && signUp.orderId !== null) return { orderId: signUp.orderId };
      const order = signUpOrder({ offering: signUp.offering, msisdn: signUp.number?.msisdn ?? null });
      const { confirmation } = await tools.propose('order.place', order, caller);
      await run(confirmSignUpOrder, { session, confirmation: confirmation.token });
      const { result } = await tools.confirm('order.place', order, caller, confirmation.token);
      const orderId = isJsonObject(result) && typeof result.id === 'string' ? result.id : '';
      await run(recordSignUpOrder, { id: signUp.id, orderId });
      return { orderId };
    },

    requestSecondCode: async (session, proposed) => {
      await run(requestSecondCode, { session, ...proposed });
      wake?.();
    },
    giveSecondCode: async (session, given) => {
      await tried(giveSecondCode, { session, ...given });
    },
  };
}
