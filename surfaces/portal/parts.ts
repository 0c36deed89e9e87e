import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { Caller } from '../../kernel/caller.ts';
import type { JsonObject } from '../../kernel/json.ts';
import type { Entered, PortalDoor, PortalSession, SignUp } from '../../tools/portal.ts';
import type { ToolDoor } from '../../tools/registry.ts';

export type { Entered, PortalDoor, PortalSession, SignUp };

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
  | { readonly kind: 'stripe'; readonly publishableKey: string; begin(): Promise<{ clientSecret: string }> }
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
] as const;
export type PortalGuard = (typeof portalGuards)[number];

/** What the HTTP door knows of a request that this surface answers. */
export interface Hearing {
  requestId(request: IncomingMessage): string;
  caller(request: IncomingMessage, caller: Caller): void;
  operation(request: IncomingMessage, operation: string): void;
  /** What was refused and why, for the audit. */
  refused(request: IncomingMessage, refused: { readonly status: number; readonly reason: string }): void;
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
