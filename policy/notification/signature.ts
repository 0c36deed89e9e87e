import { createHmac } from 'node:crypto';

/**
 * The secret that one subscriber shares with this installation, as hexadecimal text. It follows from the installation's
 * own secret, so nothing is stored, and one subscriber cannot sign for another.
 */
export function hubSecret(installationSecret: string, hubId: string): string {
  return createHmac('sha256', installationSecret).update(`hub:${hubId}`).digest('hex');
}

/**
 * The value of `X-Airtime-Signature`: `t=<seconds since 1970>,v1=<hex>`, the HMAC-SHA-256 of `<t>.<body>` under the hub's
 * secret. A subscriber computes the same over the body as it came, and refuses an old `t`.
 */
export function signature(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}
