import type { ComponentChildren } from 'preact';
import type { z } from 'zod';
import type { Caller } from '../../kernel/caller.ts';
import type { AirtimeError } from '../../kernel/error.ts';
import type { AssetName } from './assets.ts';
import type { Form, Problem } from './form.ts';
import type { Entered, PortalParts, PortalSession } from './parts.ts';

/** For whom a page is. A visitor's pages are for everybody. */
export type Audience = 'visitor' | 'customer' | 'operator';

export interface Route {
  readonly method: 'GET' | 'POST';
  /** `/account/lines/:subscriptionId`: a part that begins with a colon is any one segment. */
  readonly path: string;
  readonly audience: Audience;
  /** What log, measures and audit call it. */
  readonly operation: string;
  /** A page for everybody that has a form: whoever looks at it is given a session to send it from. */
  readonly hasForm?: boolean;
  handle(visit: Visit): Promise<Reply>;
}

/** One request, by somebody who may make it. */
export interface Visit {
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** What was typed; empty for a page that is only looked at. */
  readonly form: Form;
  /** Whether a form was sent; else a page is only looked at. */
  readonly isForm: boolean;
  /** The session, also on a page for everybody; none on such a page without a form. */
  readonly session: PortalSession | undefined;
  /** The secret of its cookie, for the portal's door. Empty without a session. */
  readonly secret: string;
  /** Whose tools are used: of the session, or of a visitor, who owns nothing. */
  readonly caller: Caller;
  /** Whether a script asked for a stream of events. */
  readonly wantsEvents: boolean;
  readonly parts: PortalParts;
  /** Asks a query of the house as the caller; the customer is never named, the session says who. @throws as ToolDoor.run */
  read<Output>(query: { readonly name: string; readonly output: z.ZodType<Output> }, input: object): Promise<Output>;
  /** Runs a tool of the caller. @throws as ToolDoor.run */
  run(tool: string, input: object): Promise<unknown>;
  /** Tells the audit of a refusal that the answer does not show. */
  refused(error: AirtimeError): void;
  /** A path of ours that a page is told to go on to, or another where it is none of ours. */
  ownPath(given: string | null, otherwise: string): string;
}

/** Which part of the house a page belongs to; its navigation says so. */
export type Section = 'shop' | 'account' | 'desk' | 'plain';

export interface Page {
  readonly kind: 'page';
  readonly status: number;
  /** What was refused, where the page comes back with it: its status is the page's. */
  readonly problem: Pick<Problem, 'status' | 'reason'> | undefined;
  readonly title: string;
  readonly section: Section;
  /** `narrow` for a form or a text, `wide` for tables. */
  readonly width: 'narrow' | 'normal' | 'wide';
  readonly body: ComponentChildren;
  readonly scripts: readonly AssetName[];
  /** The page asks for itself again after so many seconds, without a script. */
  readonly refreshSeconds: number | undefined;
  /** Where the card gateway's own element comes from; on the page with that element alone. */
  readonly cardOrigin: string | undefined;
}

export interface Redirect {
  readonly kind: 'redirect';
  readonly to: string;
  /** A session that has just begun, or `ended` for one that is over. */
  readonly entered: Entered | 'ended' | undefined;
}

export interface Download {
  readonly kind: 'download';
  readonly name: string;
  readonly type: string;
  readonly text: string;
}

/** A stream of server-sent events. */
export interface Events {
  readonly kind: 'events';
  run(send: (event: string, data: object) => void): Promise<void>;
}

/** A part of a page, for a script that puts it in place of an older one. */
export interface Fragment {
  readonly kind: 'fragment';
  readonly body: ComponentChildren;
}

export type Reply = Page | Redirect | Download | Events | Fragment;

export function page(given: Pick<Page, 'title' | 'body'> & Partial<Omit<Page, 'kind'>>): Page {
  return {
    kind: 'page',
    status: given.problem?.status ?? 200,
    problem: undefined,
    section: 'account',
    width: 'normal',
    scripts: [],
    refreshSeconds: undefined,
    cardOrigin: undefined,
    ...given,
  };
}

/** After a form was done: the browser asks for the next page, so that going back or reloading does nothing twice. */
export function redirect(to: string, entered?: Entered | 'ended'): Redirect {
  return { kind: 'redirect', to, entered };
}

export const download = (name: string, type: string, text: string): Download => ({
  kind: 'download',
  name,
  type,
  text,
});

export interface Found {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** Finds routes by path; a segment that stands as it is goes before one that may be anything. */
export function routeFinder(
  routes: readonly Route[],
): (method: string, path: string) => Found | 'other-method' | undefined {
  const known = routes.map((route) => ({ route, parts: segments(route.path) }));
  const literal = (parts: readonly string[]) => parts.filter((part) => !part.startsWith(':')).length;
  known.sort((a, b) => literal(b.parts) - literal(a.parts));
  return (method, path) => {
    const given = segments(path);
    const alike = known.filter(
      ({ parts }) =>
        parts.length === given.length && parts.every((part, index) => part.startsWith(':') || part === given[index]),
    );
    const found = alike.find(({ route }) => route.method === (method === 'HEAD' ? 'GET' : method));
    if (!found) return alike.length > 0 ? 'other-method' : undefined;
    const params = Object.fromEntries(
      found.parts.flatMap((part, index) =>
        part.startsWith(':') ? [[part.slice(1), decoded(given[index] ?? '')]] : [],
      ),
    );
    return { route: found.route, params };
  };
}

const segments = (path: string): string[] => path.split('/').filter((part) => part !== '');

/** What cannot be decoded is nobody's id. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}
