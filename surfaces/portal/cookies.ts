import type { IncomingMessage } from 'node:http';

/** The one cookie: the secret of a session, of which only a hash is kept here. */
export const sessionCookie = 'airtime_session';

const secretForm = /^[\w-]{20,120}$/;

/** The secret that a request's cookie holds. */
export function secretOf({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined {
  for (const part of (headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=');
    if (part.slice(0, at).trim() !== sessionCookie) continue;
    const value = part.slice(at + 1).trim();
    return secretForm.test(value) ? value : undefined;
  }
  return undefined;
}

/** The cookie of a session; without one it is taken away. */
export function cookieText(entered: { secret: string; maxAgeSeconds: number } | undefined, isSecure: boolean): string {
  const { secret, maxAgeSeconds } = entered ?? { secret: '', maxAgeSeconds: 0 };
  const secure = isSecure ? '; Secure' : '';
  return `${sessionCookie}=${secret}; Path=/; HttpOnly; SameSite=Lax${secure}; Max-Age=${maxAgeSeconds}`;
}

/**
 * Whether a form was sent from a page of ours, as the browser says. A client that says nothing is no browser that
 * another site could have led here.
 */
export function isOwnOrigin({ headers }: Pick<IncomingMessage, 'headers'>, publicUrl: string): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const { origin, host } = headers;
  if (origin === undefined) return true;
  try {
    return [new URL(publicUrl).host, host].includes(new URL(origin).host);
  } catch {
    return false;
  }
}
