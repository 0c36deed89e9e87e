import { kindName } from '../../../kernel/quantity.ts';
import type { Balance } from '../../../read/views/line.ts';

const lowShare = 0.2;

/** What is left of one kind: the figure, how much of it that is, and a bar. */
export function BalanceBar({ balance, isStopped }: { balance: Balance; isStopped: boolean }) {
  const { kind, isUnlimited, remaining, granted, used } = balance;
  const share = isUnlimited ? 1 : Math.min(1, Math.max(0, (remaining.amount ?? 0) / Math.max(1, granted.amount ?? 1)));
  const level = isUnlimited ? 'endless' : share <= 0 || isStopped ? 'empty' : share <= lowShare ? 'low' : 'full';
  const name = kindName(kind);
  const percent = Math.round(share * 1000) / 10;
  return (
    <div class={`balance ${level}`}>
      <div class="balance-text">
        <span class="balance-name">{name}</span>
        <span class="balance-left">{isUnlimited ? 'Unlimited' : remaining.text}</span>
        <span class="balance-of">
          {isUnlimited ? `${used.text} used` : `${level === 'empty' ? 'Used up, ' : 'left of '}${granted.text}`}
        </span>
      </div>
      <div class="bar" aria-hidden="true">
        <svg width="100%" height="8" aria-hidden="true">
          <rect class="bar-rest" width="100%" height="8" rx="4" />
          <rect class="bar-full" width={`${percent}%`} height="8" rx="4" />
        </svg>
      </div>
    </div>
  );
}
