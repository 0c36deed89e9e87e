import { RequestRefused } from '../../adapters/outcome.ts';
import { cutText } from '../../kernel/text.ts';
import type { StepContext, StepDefinition } from '../core/flow.ts';
import { text } from '../core/party.ts';
import { findRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { logInteraction } from '../interaction/commands.ts';
import { type Letter, oneLine, written } from '../notice/letter.ts';
import { noticeFlow } from '../notice/notice.ts';
import { addressHash, type CodeRow, codeStep } from './one-time-code.ts';
import { codeHash, newCode, newSecret, secretHash } from './secret.ts';

interface Prepared {
  to: string;
  name: string;
  customerId: string | null;
  letter: Letter;
}

const ignore = 'If it was not you, do nothing: without the code nothing happens. Nobody of ours ever asks you for it.';
const spaced = (code: string): string => `${code.slice(0, 3)} ${code.slice(3)}`;

/**
 * Draws the code and writes its digests down; the code itself is in the letter alone. After a crash another one is drawn,
 * and the letter with the one before is worth nothing.
 */
async function prepare(context: StepContext, publicUrl: string): Promise<Prepared | undefined> {
  const { step } = context;
  return context.during('one_time_code.draw', async (tx): Promise<Prepared | undefined> => {
    const [row] = await tx.sql<{
      isFresh: boolean;
    }>`SELECT "expires_at" > clock_timestamp() AND "used_at" IS NULL AS is_fresh
      FROM "one_time_code" WHERE "id" = ${step.subject} FOR UPDATE`;
    const code = row?.isFresh ? await findRow(tx, 'oneTimeCode', { id: step.subject }) : undefined;
    if (!code) return undefined;
    if (code.address !== null) return prove(tx, code, code.address, publicUrl);
    const session = await findRow(tx, 'portalSession', { id: code.sessionId ?? '' });
    if (!session) return undefined;
    const customer = code.customerId === null ? undefined : await findRow(tx, 'customer', { id: code.customerId });
    const signUp = code.purpose === 'sign_up' ? await findRow(tx, 'signUp', { sessionId: session.id }) : undefined;
    const to = customer?.email ?? signUp?.email;
    // Changed since the code was asked for: it would prove an address that its letter never went to.
    if (!to || !addressHash(to).equals(code.addressHash ?? Buffer.alloc(0))) return undefined;
    if (signUp && customer) {
      return {
        to,
        name: customer.name ?? '',
        customerId: customer.id,
        letter: {
          subject: 'You have an account already',
          sentences: [
            'Somebody signed up with this address, and you are a customer of ours already: sign in instead.',
            'If it was not you, do nothing.',
          ],
          link: { label: 'Sign in', url: `${publicUrl}/sign-in` },
        },
      };
    }
    const digits = newCode();
    const secret = code.purpose === 'sign_in' ? newSecret() : undefined;
    const drawn = await codeHash(digits, code.purpose, Buffer.from(session.hash));
    await tx.sql`UPDATE "one_time_code" SET "code_hash" = ${drawn}, "link_hash" = ${secret === undefined ? null : secretHash(secret)}
      WHERE "id" = ${code.id}`;
    const table: [string, string][] = [['Code', spaced(digits)]];
    if (signUp) {
      return {
        to,
        // Whose address it is nobody knows yet: what a stranger typed as a name is not sent there.
        name: '',
        customerId: null,
        letter: {
          subject: 'Your code to sign up',
          sentences: [
            'Type this code where you sign up, within ten minutes: it confirms your address and your order.',
            ignore,
          ],
          table,
        },
      };
    }
    const whom = { to, name: customer?.name ?? '', customerId: code.customerId };
    if (secret !== undefined) {
      return {
        ...whom,
        letter: {
          subject: 'Your code to sign in',
          sentences: [
            'Type this code where you sign in, within ten minutes, or follow the link. Each works once.',
            ignore,
          ],
          table,
          link: { label: 'Sign in', url: `${publicUrl}/sign-in/link?token=${secret}` },
        },
      };
    }
    const what = text(step.input.what);
    return {
      ...whom,
      letter: {
        subject: 'Your code to confirm',
        sentences: [
          'Type this code to confirm, within ten minutes. It works once, for this alone:',
          what ?? 'What you were shown at the pages.',
          `${ignore} If you did not ask for it, somebody is signed in as you: tell us.`,
        ],
        table,
      },
    };
  });
}

/** To an address that is to become a customer's. Somebody else's is told so, and nothing can be done with that letter. */
async function prove(tx: Tx, code: CodeRow, to: string, publicUrl: string): Promise<Prepared> {
  const owner = await findRow(tx, 'emailDirectory', { email: to });
  // What a stranger is called is not sent to an address that nobody has proven.
  const whom = { to, name: '', customerId: null };
  if (owner) {
    return {
      ...whom,
      letter: {
        subject: 'Somebody wants to use this address',
        sentences: ['Somebody wants us to write to them at this address, and it is yours. Nothing was changed.'],
      },
    };
  }
  const secret = newSecret();
  await tx.sql`UPDATE "one_time_code" SET "link_hash" = ${secretHash(secret)} WHERE "id" = ${code.id}`;
  return {
    ...whom,
    letter: {
      subject: 'Is this your address?',
      sentences: [
        'Follow the link within ten minutes, and from then on receipts, notices and codes come to this address.',
        'If you did not ask for it, do nothing: nothing happens.',
      ],
      link: { label: 'This is my address', url: `${publicUrl}/sign-in/link?token=${secret}` },
    },
  };
}

async function run(context: StepContext, publicUrl: string): Promise<void> {
  const prepared = await prepare(context, publicUrl);
  let came = 'Sent';
  if (prepared) {
    try {
      await context.outside.mail.send({
        // Another code is another letter: a mailbox must not take it for the one before.
        key: `${context.step.key}:${context.step.attempts}`,
        to: prepared.to,
        ...(oneLine(prepared.name) === '' ? {} : { toName: cutText(oneLine(prepared.name), 200) }),
        ...written(prepared.letter, prepared.name),
      });
    } catch (error) {
      if (!(error instanceof RequestRefused) || error.code === 'unauthorised') throw error;
      came = `Not delivered, it was refused (${error.message})`;
    }
  }
  await context.finish('one_time_code.send', async (tx) => {
    if (prepared?.customerId == null) return;
    await logInteraction(tx, {
      customerId: prepared.customerId,
      channel: 'mail',
      direction: 'outbound',
      reason: 'code',
      description: `${came}: ${oneLine(prepared.letter.subject)}`,
    });
  });
}

/** A code is good for minutes: a mail server that is away longer makes it worth nothing. */
const attemptsMax = 20;

/** @param publicUrl where the links in letters lead: from the configuration, never from what a request says of itself */
export const codeSteps = (publicUrl: string): readonly StepDefinition[] => [
  {
    flow: noticeFlow,
    step: codeStep,
    summary: 'Mail a code',
    attemptsMax,
    run: (context) => run(context, publicUrl),
  },
];
