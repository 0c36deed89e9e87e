import type { ServerResponse } from 'node:http';

/** Sets what every page says of itself to a browser. `no-store` stands already: what is a person's is kept nowhere. */
export function setPageHeaders(response: ServerResponse, cardOrigin?: string): void {
  const card = cardOrigin === undefined ? '' : ` ${cardOrigin}`;
  const directives = [
    `default-src 'none'`,
    `style-src 'self'`,
    `script-src 'self'${card}`,
    `img-src 'self' data:`,
    `connect-src 'self'${cardOrigin === undefined ? '' : ' https://api.stripe.com'}`,
    ...(cardOrigin === undefined ? [] : [`frame-src ${cardOrigin} https://hooks.stripe.com`]),
    `form-action 'self'`,
    `frame-ancestors 'none'`,
    `base-uri 'none'`,
  ];
  response.setHeader('Content-Security-Policy', directives.join('; '));
  response.setHeader('Referrer-Policy', 'same-origin');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  // An older answer of another session must not be shown to this one.
  response.setHeader('Vary', 'Cookie');
}

/** The name of a download as a header can carry it: what is no plain letter, figure or mark of one is left out. */
export function fileName(text: string): string {
  return text.replace(/[^\w.-]+/g, '-').slice(0, 80);
}
