import { createHash } from 'node:crypto';
import { z } from 'zod';
import { checked } from './checked.ts';
import type { Mail } from './mail.ts';
import { mailMessage } from './mail-message.ts';
import { OutcomeUnknown, RequestRefused } from './outcome.ts';

export interface SmtpOptions {
  /** `smtp://user:password@host:587` or `smtps://…:465`. */
  url: string;
  /** Who it is from: `no-reply@example.com`, or `Airtime <no-reply@example.com>`. */
  from: string;
  /** How long a connection, a greeting or an answer is waited for; 10 seconds unless told. */
  timeoutMs?: number;
}

/** `no-reply@example.com` or `Airtime <no-reply@example.com>`, in its parts; undefined when it is neither. */
export function senderOf(from: string): { name: string; address: string } | undefined {
  const [, name, inAngles] = /^\s*(\P{Cc}*?)\s*<([^<>]+)>\s*$/u.exec(from) ?? [];
  const address = z.email().safeParse((inAngles ?? from).trim());
  return address.success ? { name: (name ?? '').replaceAll('"', ''), address: address.data } : undefined;
}

/**
 * Mail by SMTP. The package that speaks it is loaded only here, when an installation asks for it. SMTP cannot say
 * whether it took a message before: a crash between its answer and our note of it sends the message again, with the
 * same `Message-ID`, by which the receiver knows it for the same.
 */
export async function openSmtpMail(options: SmtpOptions): Promise<Mail & { close(): void }> {
  const from = senderOf(options.from);
  if (from === undefined) throw new Error('the sender of mail is no address');
  const { createTransport } = await import('nodemailer');
  const timeoutMs = options.timeoutMs ?? 10_000;
  const transport = createTransport({
    url: options.url,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    // Nothing in a message may make this process read a file or fetch an address.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
  return {
    kind: 'smtp',
    async send(given) {
      const message = checked(mailMessage, given);
      try {
        await transport.sendMail({
          from,
          to: { name: message.toName ?? '', address: message.to },
          // The envelope is ours alone: no header adds a recipient.
          envelope: { from: from.address, to: [message.to] },
          messageId: `<${createHash('sha256').update(message.key).digest('hex').slice(0, 40)}@${domain}>`,
          subject: message.subject,
          text: message.text,
          ...(message.html === undefined ? {} : { html: message.html }),
          headers: { 'Auto-Submitted': 'auto-generated' },
        });
      } catch (error) {
        throw outcomeOf(error, message.key);
      }
    },
    close: () => transport.close(),
  };
}

const carrierError = z.object({
  code: z.string().optional().catch(undefined),
  responseCode: z.number().optional().catch(undefined),
  command: z.string().optional().catch(undefined),
});

/**
 * What an error of the carrier means. A 5xx to the recipient or the message is its last word on it; one to our login or
 * our sender is about us, and the next message would fare no better. The text of an answer is left out: servers
 * like to repeat the address in it.
 */
function outcomeOf(error: unknown, key: string): OutcomeUnknown | RequestRefused {
  const { code, responseCode, command } = carrierError.parse(error);
  const said = `${responseCode ?? code ?? 'no answer'}${command === undefined ? '' : ` to ${command.split(' ')[0]}`}`;
  const isFinal = responseCode !== undefined && responseCode >= 500 && responseCode < 600;
  if (code === 'EAUTH' || (isFinal && command === 'MAIL FROM'))
    return new RequestRefused(
      'unauthorised',
      `The mail server refuses us: ${said}. Check AIRTIME_SMTP_URL and AIRTIME_MAIL_FROM.`,
    );
  if (isFinal && (command === 'RCPT TO' || command === 'DATA' || code === 'EMESSAGE'))
    return new RequestRefused('invalid_request', `The mail server refuses the message: ${said}.`);
  return new OutcomeUnknown(`The mail server did not take the message: ${said}.`, key);
}
