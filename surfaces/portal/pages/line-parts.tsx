import type { LineView } from '../../../read/views/line.ts';
import { type SubscriptionView, showSubscription } from '../../../read/views/subscription.ts';
import type { Visit } from '../route.ts';
import { BalanceBar } from '../ui/balance-bar.tsx';
import { Badge, ButtonLink, Notice, toneOf } from '../ui/parts.tsx';

export const lineOf = (visit: Visit): Promise<SubscriptionView> =>
  visit.read(showSubscription, { subscriptionId: visit.params.subscriptionId ?? '' });

export const pathOf = (line: { id: string }, page = ''): string => `/account/lines/${line.id}${page}`;

const stateWords: Readonly<Record<string, string>> = {
  pending: 'being set up',
  active: 'active',
  blocked: 'stopped',
  terminated: 'ended',
};

/** Where a profile is, as its owner would say it. */
export const esimWords: Readonly<Record<string, string>> = {
  reserved: 'not on a phone yet',
  released: 'not on a phone yet',
  downloaded: 'on a phone',
  installed: 'on a phone',
  enabled: 'in use',
  disabled: 'switched off on the phone',
};

export function StateBadge({ line }: { line: Pick<LineView, 'state'> }) {
  return <Badge tone={toneOf(line.state)}>{stateWords[line.state] ?? line.state}</Badge>;
}

export function Balances({ line }: { line: LineView }) {
  if (line.balances.length === 0) return <p class="empty">There is nothing left to use.</p>;
  return (
    <div class="balances">
      {line.balances.map((balance) => (
        <BalanceBar key={balance.kind} balance={balance} isStopped={line.stoppedKinds.includes(balance.kind)} />
      ))}
    </div>
  );
}

/** Why nothing works any more, and the way back. */
export function WhyStopped({ line }: { line: LineView }) {
  if (line.state !== 'blocked') return null;
  const isUnpaid = line.blockReasons.includes('unpaid');
  return (
    <Notice tone="bad" title={isUnpaid ? 'The renewal was declined, so the line is stopped' : 'Everything is used up'}>
      <p>
        {isUnpaid
          ? 'Nothing is owed. Buy a new period when you like, or put another card on file and wait for the next renewal.'
          : 'The line waits for its renewal. A top-up brings it back at once.'}
      </p>
      <ButtonLink to={pathOf(line, '/top-up')} kind="primary">
        {isUnpaid ? 'Buy a new period' : 'Top up'}
      </ButtonLink>
    </Notice>
  );
}

/** What all pages of one line stand below. */
export const linePath = '/account/lines/:subscriptionId';

/** An offering as a form brings it. */
export const offeringWanted = {
  name: 'offering',
  label: 'What you would like',
  pattern: /^[\w-]{1,80}$/,
  remedy: 'Choose one of those below.',
} as const;
