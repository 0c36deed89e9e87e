import type { Request, RequestHandler, Response } from 'express';
import type { VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';
import type { Caller } from '../../kernel/caller.ts';
import { explainAway } from '../../kernel/database-away.ts';
import { AirtimeError } from '../../kernel/error.ts';
import { assetAt } from './assets.ts';
import { cookieText, isOwnOrigin, secretOf } from './cookies.ts';
import { Form, readForm } from './form.ts';
import { Layout, type PageFacts, PageScope } from './layout.tsx';
import { Apology } from './pages/apology.tsx';
import type { Entered, PortalGuard, PortalParts, PortalSession } from './parts.ts';
import { fileName, setPageHeaders } from './reply.ts';
import {
  type Events,
  type Found,
  type Page,
  page,
  type Redirect,
  type Reply,
  redirect,
  routeFinder,
  type Section,
  type Visit,
} from './route.ts';
import { routes } from './routes.ts';

/** Somebody without a session: nobody's tools, but for what is everybody's. */
const visitorCaller: Caller = {
  audience: 'customer',
  id: 'visitor',
  name: 'Visitor',
  surface: 'portal',
  scopes: ['*'],
};

const find = routeFinder(routes);

const lookFirst = 'See whether it was done before you try again.';

const sectionOf = (path: string): Section =>
  path.startsWith('/desk') ? 'desk' : path.startsWith('/account') ? 'account' : 'shop';

/** The pages for people, below whatever paths they are mounted at. */
export function portalPages(parts: PortalParts): RequestHandler {
  const stands = (guard: PortalGuard): boolean => parts.guardsOff?.has(guard) !== true;
  const isSecure = parts.publicUrl.startsWith('https:');

  async function answer(request: Request, response: Response): Promise<void> {
    const [path = '/'] = request.originalUrl.split('?');
    if (path.startsWith('/assets/')) return sendAsset(request, response, path);
    const found = find(request.method, path);
    const secret = secretOf(request);
    const context: Context = { request, response, path, secret: '', session: undefined };
    try {
      const session = secret === undefined ? undefined : await parts.door.find(secret);
      if (secret !== undefined && session !== undefined) {
        context.secret = secret;
        context.session = session;
      }
      if (found === undefined || found === 'other-method') throw unfound(found);
      parts.hearing.operation(request, found.route.operation);
      await answerRoute(context, found);
    } catch (error) {
      await apologise(context, error);
    }
  }

  interface Context {
    readonly request: Request;
    readonly response: Response;
    readonly path: string;
    secret: string;
    session: PortalSession | undefined;
  }

  async function answerRoute(context: Context, { route, params }: Found): Promise<void> {
    const { request, response, path } = context;
    const { audience } = route;
    const { session } = context;
    if (audience !== 'visitor' && session?.kind !== audience) {
      if (audience === 'operator' && session?.caller) tellOfCustomer(request, session.caller);
      return send(context, signInFirst(route.method, request, audience));
    }
    const isToBegin = route.method === 'GET' && route.hasForm === true && session === undefined;
    await limited(context, isToBegin);
    let form = new Form();
    if (route.method === 'POST') {
      form = await readForm(request);
      judgeForm(context, form);
    } else if (isToBegin) {
      begin(context, await parts.door.begin());
    }
    const caller: Caller = {
      ...(context.session?.caller ?? visitorCaller),
      requestId: parts.hearing.requestId(request),
    };
    if (context.session?.caller) parts.hearing.caller(request, caller);
    const visit: Visit = {
      path,
      params,
      query: new URLSearchParams(request.originalUrl.slice(path.length + 1)),
      form,
      isForm: route.method === 'POST',
      session: context.session,
      secret: context.secret,
      caller,
      wantsEvents: /\btext\/event-stream\b/i.test(request.headers.accept ?? ''),
      parts,
      refused: (error) => parts.hearing.refused(request, error),
      read: async (query, input) => query.output.parse(await parts.tools.run(query.name, input, caller)),
      run: (tool, input) => parts.tools.run(tool, input, caller),
      ownPath,
    };
    const reply = await route.handle(visit);
    await send(context, reply, response);
  }

  /** A customer who asks for a page of the desk is led away like anybody, and the audit hears of it. */
  function tellOfCustomer(request: Request, caller: Caller): void {
    parts.hearing.caller(request, caller);
    parts.hearing.refused(request, { status: 403, reason: 'portal.operators_only' });
  }

  function begin(context: Context, entered: Entered): void {
    context.secret = entered.secret;
    context.session = entered.session;
    context.response.setHeader('Set-Cookie', cookieText(entered, isSecure));
  }

  /** Whoever is not signed in is led to where one does so, and from there back to the page that was asked for. */
  function signInFirst(method: string, request: Request, audience: 'customer' | 'operator'): Redirect {
    if (audience === 'operator') return redirect('/desk/sign-in');
    return redirect(method === 'GET' ? `/sign-in?next=${encodeURIComponent(request.originalUrl)}` : '/sign-in');
  }

  /** A path that a page was told to go on to: one of our pages, and nothing that a browser takes for another site. */
  function ownPath(given: string | null, otherwise: string): string {
    if (given === null || given === '') return otherwise;
    if (!stands('portal.own_path')) return given;
    if (!/^\/[\w/-]*(\?[\w=&%-]*)?$/.test(given) || given.startsWith('//')) return otherwise;
    const found = find('GET', given.split('?')[0] ?? '');
    return found === undefined || found === 'other-method' ? otherwise : given;
  }

  async function limited({ request, session }: Context, isToBegin: boolean): Promise<void> {
    const signedIn = session !== undefined && session.kind !== 'visitor' ? session : undefined;
    // To look costs a visitor nothing; what writes, mails, guesses or begins a session is counted by the address.
    if (!signedIn && request.method !== 'POST' && !isToBegin) return;
    const seconds = signedIn
      ? await parts.limit(`session ${signedIn.id}`, signedIn.kind)
      : await parts.limit(`address ${parts.hearing.address(request)}`, 'visitor');
    if (seconds === undefined) return;
    throw new AirtimeError(
      429,
      'rateLimited',
      `That was a lot in a short time. Wait ${seconds} ${seconds === 1 ? 'second' : 'seconds'} and try again; nothing was changed.`,
      { facts: { retryAfterSeconds: seconds } },
    );
  }

  function judgeForm({ request, secret, session }: Context, form: Form): void {
    if (stands('portal.origin') && !isOwnOrigin(request, parts.publicUrl)) {
      throw new AirtimeError(403, 'portal.origin', 'That form came from another site. Nothing was changed.');
    }
    const isOurs = session !== undefined && parts.door.isFormToken(secret, form.text('csrf'));
    if (stands('portal.csrf') && !isOurs) {
      throw new AirtimeError(
        403,
        'portal.csrf',
        'That page was open for too long, or it was opened before you signed in. Nothing was changed: open it again.',
      );
    }
  }

  async function apologise(context: Context, thrown: unknown): Promise<void> {
    const { request, response, path, session } = context;
    // A form may have been acted on before the page that answers it was read.
    const error = explainAway(thrown, request.method === 'POST' ? lookFirst : undefined);
    const known = error instanceof AirtimeError ? error : undefined;
    if (known?.status === 401)
      return send(context, redirect(path.startsWith('/desk') ? '/desk/sign-in' : '/sign-in', 'ended'));
    if (!known) parts.log.error({ requestId: parts.hearing.requestId(request), err: error }, 'a page failed');
    // The audit hears of a customer who asks for what is not theirs.
    if (session?.caller) parts.hearing.caller(request, session.caller);
    if (known) parts.hearing.refused(request, known);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const wait = known?.facts.retryAfterSeconds;
    if (typeof wait === 'number') response.setHeader('Retry-After', String(wait));
    else if (known?.status === 503) response.setHeader('Retry-After', '1');
    if (known?.status === 413) response.setHeader('Connection', 'close');
    if (known?.status === 405) response.setHeader('Allow', 'GET, HEAD, POST');
    const status = known?.status ?? 500;
    await send(
      context,
      page({
        status,
        title: status === 404 ? 'Not here' : status === 403 ? 'Not done' : 'Something went wrong',
        section: sectionOf(path),
        width: 'narrow',
        body: (
          <Apology
            status={status}
            // Why a thing is not there is told to nobody: another's and no one's look alike.
            message={status === 404 || known === undefined ? undefined : sentencesOf(known)}
            requestId={parts.hearing.requestId(request)}
            home={session?.kind === 'operator' ? '/desk' : session?.kind === 'customer' ? '/account' : '/plans'}
          />
        ),
      }),
    );
  }

  async function send(context: Context, reply: Reply, response: Response = context.response): Promise<void> {
    switch (reply.kind) {
      case 'page':
        setPageHeaders(response, reply.cardOrigin);
        if (reply.problem) parts.hearing.refused(context.request, reply.problem);
        return sendHtml(context, reply.status, `<!doctype html>${drawn(context, reply)}`);
      case 'fragment':
        setPageHeaders(response);
        return sendHtml(context, 200, html(<PageScope facts={facts(context)}>{reply.body}</PageScope>));
      case 'redirect':
        setPageHeaders(response);
        if (reply.entered !== undefined) {
          const cookie = cookieText(reply.entered === 'ended' ? undefined : reply.entered, isSecure);
          response.setHeader('Set-Cookie', cookie);
        }
        response.statusCode = 303;
        response.setHeader('Location', reply.to);
        response.end();
        return;
      case 'download': {
        setPageHeaders(response);
        const name = stands('portal.header_text') ? fileName(reply.name) : reply.name;
        response.setHeader('Content-Type', reply.type);
        response.setHeader('Content-Disposition', `attachment; filename="${name}"`);
        response.setHeader('Content-Length', String(Buffer.byteLength(reply.text)));
        response.end(context.request.method === 'HEAD' ? undefined : reply.text);
        return;
      }
      case 'events':
        return stream(context, reply);
    }
  }

  /** The stream begins with the first that there is to say: what is refused before is answered as everywhere. */
  async function stream({ request, response }: Context, { run }: Events): Promise<void> {
    const say = (event: string, data: object): void => {
      if (!response.headersSent) {
        setPageHeaders(response);
        response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
      }
      response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    };
    try {
      await run(say);
    } catch (thrown) {
      if (!response.headersSent) throw thrown;
      const error = explainAway(thrown, lookFirst);
      const known = error instanceof AirtimeError ? error : undefined;
      if (known) parts.hearing.refused(request, known);
      else parts.log.error({ requestId: parts.hearing.requestId(request), err: error }, 'a turn failed');
      say('error', { message: known?.message ?? 'Something went wrong. Say it again.' });
    }
    response.end();
  }

  function facts({ path, secret, session }: Context): PageFacts {
    return {
      path,
      csrf: session === undefined ? '' : parts.door.formToken(secret),
      signedIn: session === undefined || session.kind === 'visitor' ? undefined : session.kind,
    };
  }

  const drawn = (context: Context, reply: Page): string => html(<Layout page={reply} facts={facts(context)} />);

  function html(node: VNode): string {
    const text = renderToString(node);
    return stands('portal.escape') ? text : text.replaceAll('&lt;', '<').replaceAll('&quot;', '"');
  }

  function sendHtml({ request, response }: Context, status: number, text: string): void {
    response.statusCode = status;
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.setHeader('Content-Length', String(Buffer.byteLength(text)));
    response.end(request.method === 'HEAD' ? undefined : text);
  }

  function sendAsset(request: Request, response: Response, path: string): void {
    const asset = assetAt(path);
    parts.hearing.operation(request, 'asset');
    if (!asset || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.statusCode = asset ? 405 : 404;
      response.end();
      return;
    }
    response.setHeader('Content-Type', asset.type);
    response.setHeader('Cache-Control', 'public, max-age=31536000, immutable');
    response.setHeader('Content-Length', String(asset.body.length));
    response.end(request.method === 'HEAD' ? undefined : asset.body);
  }

  return (request, response, next) => {
    answer(request, response).catch(next);
  };
}

/** What was wrong and what to do, for a page that has no field to say it at. */
const sentencesOf = ({ message, faults }: AirtimeError): string =>
  [message, ...faults.map(({ rule, remedy }) => `${rule} ${remedy}`)].join(' ');

function unfound(found: 'other-method' | undefined): AirtimeError {
  return found === 'other-method'
    ? new AirtimeError(405, 'methodNotAllowed', 'This page does not take what was sent.')
    : new AirtimeError(404, 'notFound', 'There is nothing at this address.');
}
