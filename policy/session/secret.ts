import { createHash, createHmac, randomBytes, randomInt, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** What a cookie or a link holds: 256 random bits. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

/** What is stored and looked up instead. Nobody guesses 256 bits, so a plain digest hides them. */
export const secretHash = (secret: string): Buffer => createHash('sha256').update(secret, 'utf8').digest();

/** Not worth a question when it does not look like this. */
export const isSecret = (text: string): boolean => /^[\w-]{43}$/.test(text);

/** Six digits, to be typed. */
export const newCode = (): string => String(randomInt(1_000_000)).padStart(6, '0');

const derive = promisify<string, string, number, Buffer>(scrypt);

/** Six digits are found from a plain digest at once: this one is slow, and is another for each session and purpose. */
export const codeHash = (code: string, purpose: string, sessionHash: Buffer): Promise<Buffer> =>
  derive(code, `${purpose}:${sessionHash.toString('base64url')}`, 32);

export const isSame = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && timingSafeEqual(one, other);

/** What a form of a session carries, so that no other site can send it: made from the cookie, which no site can read. */
export const formToken = (secret: string): string =>
  createHmac('sha256', secret).update('form').digest().toString('base64url');

export const isFormToken = (secret: string, given: string): boolean =>
  isSame(Buffer.from(formToken(secret)), Buffer.from(given));
