import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { Caller } from '../../kernel/caller.ts';
import type { JsonObject } from '../../kernel/json.ts';
import type { ToolDoor } from '../../tools/registry.ts';

export interface PortalSession {
  readonly id: string;
  readonly kind: 'visitor' | 'customer' | 'operator';
  readonly name: string | null;
  readonly customerId: string | null;
  /** Whose tools the pages use; nobody's for a visitor. */
  readonly caller: Caller | null;
  readonly endsAt: string;
}

/** A session that has just begun. Its secret is in the cookie and nowhere else. */
export interface Entered {
  readonly secret: string;
  readonly maxAgeSeconds: number;
  readonly session: PortalSession;
}

export interface SignUp {
  /** The plan, by its code. */
  readonly offering: string;
  readonly givenName: string;
  readonly familyName: string;
  readonly email: string;
  readonly phone: string | null;
  readonly number: { readonly msisdn: string; readonly heldUntil: string } | null;
  readonly card: {
    readonly brand: string | null;
    readonly lastFour: string | null;
    readonly expiresAt: string | null;
  } | null;
  readonly state: 'open' | 'confirmed' | 'ordered';
  readonly orderId: string | null;
}

/** What pages ask beside the tools: sessions, sign-in and sign-up. All of it is commands of policy underneath. */
export interface PortalDoor {
  begin(): Promise<Entered>;
  find(secret: string): Promise<PortalSession | undefined>;
  end(secret: string): Promise<void>;
  formToken(secret: string): string;
  isFormToken(secret: string, given: string): boolean;
  requestSignIn(secret: string, given: { email: string }): Promise<void>;
  signIn(secret: string, given: { code: string }): Promise<Entered>;
  signInByLink(secret: string | undefined, given: { token: string }): Promise<Entered>;
  signInToDesk(secret: string | undefined, given: { token: string }): Promise<Entered>;
  startSignUp(
    secret: string,
    given: { offering: string; givenName: string; familyName: string; email: string; phone?: string },
  ): Promise<SignUp>;
  readSignUp(secret: string): Promise<SignUp | undefined>;
  offerNumbers(secret: string): Promise<string[]>;
  holdNumber(secret: string, given: { msisdn: string }): Promise<{ msisdn: string; heldUntil: string }>;
  keepCard(secret: string, given: { token: string }): Promise<void>;
  requestSignUpCode(secret: string): Promise<void>;
  confirmSignUp(secret: string, given: { code: string }): Promise<Entered>;
  buySignUp(secret: string): Promise<{ orderId: string }>;
  /** @param given.what stands in the letter, so that a person sees what the code is for */
  requestSecondCode(secret: string, given: { confirmation: string; what?: string }): Promise<void>;
  giveSecondCode(secret: string, given: { confirmation: string; code: string }): Promise<void>;
}

/** Conversations with the assistant, as the chat door answers them. */
export interface ChatDoor {
  begin(caller: Caller): Promise<{ id: string }>;
  list(caller: Caller): Promise<readonly { id: string }[]>;
  read(caller: Caller, id: string): Promise<{ id: string; turns: readonly ChatTurn[] }>;
  /** @param onTool hears of each tool as it is used */
  say(caller: Caller, id: string, text: string, onTool: (tool: string) => void): Promise<ChatAnswer>;
}

export interface ChatTurn {
  readonly said: string;
  readonly reply: string | null;
  readonly at: string;
}

export interface ChatAnswer {
  readonly reply: string;
  readonly proposals: readonly {
    readonly tool: string;
    readonly arguments: JsonObject;
    readonly what: string;
    readonly amount: string | null;
  }[];
}

/** How a card is taken: by the gateway's own element, or in the sandbox by one of its test cards. */
export type CardEntry =
  | { readonly kind: 'sandbox'; readonly cards: readonly { readonly token: string; readonly label: string }[] }
  | { readonly kind: 'stripe'; readonly publishableKey: string }
  /** The gateway has no element that was opened here. */
  | { readonly kind: 'none' };

/**
 * The guards of this surface, by name. All of them stand, always: only a proof that shows what each is good for makes
 * the pages without one.
 */
export const portalGuards = [
  'portal.csrf',
  'portal.origin',
  'portal.new_session',
  'portal.own_path',
  'portal.header_text',
  'portal.escape',
  'portal.owner',
] as const;
export type PortalGuard = (typeof portalGuards)[number];

/** What the HTTP door knows of a request that this surface answers. */
export interface Hearing {
  requestId(request: IncomingMessage): string;
  caller(request: IncomingMessage, caller: Caller): void;
  operation(request: IncomingMessage, operation: string): void;
  /** Where a request comes from. */
  address(request: IncomingMessage): string;
}

export interface PortalParts {
  readonly tools: ToolDoor;
  readonly door: PortalDoor;
  readonly chat: ChatDoor;
  readonly cards: CardEntry;
  readonly hearing: Hearing;
  /** Where people reach us; cookies are for secure connections when it is one. */
  readonly publicUrl: string;
  /** The seconds after which to come again, when somebody came too often. */
  limit(who: string, kind: 'visitor' | 'customer' | 'operator'): undefined | number | Promise<number | undefined>;
  readonly guardsOff?: ReadonlySet<string> | undefined;
  readonly log: Pick<Logger, 'warn' | 'error'>;
}
