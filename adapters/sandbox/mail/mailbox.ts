import { z } from 'zod';
import { checked } from '../../checked.ts';
import type { Mail } from '../../mail.ts';
import { mailMessage } from '../../mail-message.ts';
import { openJournal } from '../journal.ts';

export const mailboxEntry = mailMessage.extend({ at: z.coerce.date() });
export type MailboxEntry = z.output<typeof mailboxEntry>;

export const mailboxFilter = z.object({ to: z.string().optional(), limit: z.int().min(1).max(1000).optional() });
export const mailboxFind = z.object({ key: z.string() });
export type MailboxFilter = z.input<typeof mailboxFilter>;

/** Mail that goes nowhere and can be read: for development, tests and demonstrations. */
export interface Mailbox extends Mail {
  readonly kind: 'mailbox';
  /** Newest first; 100 unless a limit is named, 1,000 at most. The address is compared without regard to case. */
  messages(filter?: MailboxFilter): Promise<MailboxEntry[]>;
  /** The message with this key; undefined when none was sent. */
  find(key: string): Promise<MailboxEntry | undefined>;
  close(): Promise<void>;
}

/** Opens the mailbox, `mail.jsonl` in the directory. */
export async function openMailbox(options: { directory: string; now: () => Date }): Promise<Mailbox> {
  const positions = new Map<string, number>();
  const byAddress = new Map<string, number[]>();
  const inOrder: number[] = [];

  const journal = await openJournal(`${options.directory}/mail.jsonl`, (record, position) => {
    index(mailboxEntry.parse(record), position);
  });

  function index(entry: MailboxEntry, position: number): void {
    const address = entry.to.toLowerCase();
    positions.set(entry.key, position);
    inOrder.push(position);
    const ofAddress = byAddress.get(address);
    if (ofAddress === undefined) byAddress.set(address, [position]);
    else ofAddress.push(position);
  }

  return {
    kind: 'mailbox',

    async send(input) {
      const message = checked(mailMessage, input);
      const known = positions.get(message.key);
      if (known !== undefined) {
        await journal.read(known); // Taken, but perhaps not on disk yet.
        return;
      }
      const entry = { ...message, at: options.now() };
      const { position, durable } = journal.append(entry);
      index(entry, position);
      await durable;
    },

    async messages(input = {}) {
      const { to, limit = 100 } = checked(mailboxFilter, input);
      const found = to === undefined ? inOrder : (byAddress.get(to.toLowerCase()) ?? []);
      const newest = found.slice(-limit).reverse();
      return Promise.all(newest.map(async (position) => mailboxEntry.parse((await journal.read(position)).record)));
    },

    async find(key) {
      const position = positions.get(key);
      return position === undefined ? undefined : mailboxEntry.parse((await journal.read(position)).record);
    },

    close: () => journal.close(),
  };
}
