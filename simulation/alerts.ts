import type { Policy } from '../policy/core/command.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { Violation } from './checks.ts';

/** How one kind of quota of one line stands: what was asked for, what there is, and how often news went out. */
export interface Standing {
  readonly line: string;
  readonly kind: string;
  readonly period: number;
  /** When the alert was set, and at what; null where there is none. */
  readonly setAt: Date | null;
  readonly amount: number | null;
  readonly percent: number | null;
  readonly buckets: readonly { granted: number | null; remaining: number | null; used: number; isOpen: boolean }[];
  /** Records that took something. */
  readonly records: number;
  readonly news: number;
}

// Lines that have an alert, and lines that were told of one.
const standings = `WITH news AS (
    SELECT "subject" AS line, "input" ->> 'kind' AS of_kind, count(*)::int AS news FROM "flow_step"
     WHERE "flow" = 'notice' AND "step" = 'balance_alert' GROUP BY 1, 2),
  alerts AS (SELECT "subscription_id" AS line, "kind" AS of_kind, "updated_at" AS set_at, "left_amount"::float8 AS amount, "left_percent" AS percent
    FROM "balance_alert")
  SELECT line, of_kind AS kind, s."period_number" AS period, set_at, amount, percent, coalesce(news, 0) AS news,
    (SELECT count(*)::int FROM "usage" u WHERE u."subscription_id" = line AND u."kind" = of_kind AND u."charged" > 0) AS records,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('granted', b."granted", 'remaining', b."remaining", 'used', b."used",
        'isOpen', b."state" = 'active' AND (b."expires_at" IS NULL OR b."expires_at" > business_now()))), '[]')
       FROM "bucket" b WHERE b."subscription_id" = line AND b."kind" = of_kind) AS buckets
    FROM alerts FULL JOIN news USING (line, of_kind) JOIN "subscription" s ON s."id" = line ORDER BY 1, 2`;

/** Looks after every turn that wrote something: in one turn quota is used, or lapses, or is asked about, never two of them. */
export function makeAlertWitness(pool: Policy['pool']): { look(): Promise<void> } {
  const judge = makeAlertJudge();
  return {
    async look() {
      judge(await runStatement<Standing>(pool, standings, []));
    },
  };
}

/**
 * Knows of each line how it stood at the last look. News goes out when a record leaves as much as was asked about, or
 * less, but something; of a kind once in a period; and for no other reason.
 * @throws Violation for news that should not have gone out, or should have.
 */
export function makeAlertJudge(): (standings: readonly Standing[]) => void {
  let before = new Map<string, Standing>();
  const told = new Set<string>();

  function judge(is: Standing, was: Standing | undefined): void {
    const fresh = is.news - (was?.news ?? 0);
    const inPeriod = `${is.line} ${is.kind} ${is.period}`;
    const wrong = (what: string): never => {
      throw new Violation(`alerts: ${what}`, { was, is });
    };
    const isBelow = reaches(is) && isAsked(is, was) && usedOf(is) > usedOf(was);
    if (fresh === 0) {
      if (isBelow && leftOf(is) !== 0 && !told.has(inPeriod)) wrong('who asked is told');
      return;
    }
    if (fresh > 1 || told.has(inPeriod)) wrong('told once in a period');
    if (!isBelow) wrong('told only when a record leaves so little');
    // Several records in one turn may have told of the last that was left, and then emptied it.
    if (leftOf(is) === 0 && is.records - (was?.records ?? 0) < 2) wrong('what is empty says so itself');
    told.add(inPeriod);
  }

  return (all) => {
    for (const is of all) judge(is, before.get(`${is.line} ${is.kind}`));
    before = new Map(all.map((one) => [`${one.line} ${one.kind}`, one]));
  };
}

const usedOf = (standing: Standing | undefined): number =>
  (standing?.buckets ?? []).reduce((sum, { granted, used }) => sum + (granted === null ? 0 : used), 0);

/** Null where there is no end of it, or nothing was bought. */
function leftOf({ buckets }: Standing): number | null {
  const open = buckets.filter(({ isOpen }) => isOpen);
  if (open.length === 0 || open.some(({ granted }) => granted === null)) return null;
  return open.reduce((sum, { remaining }) => sum + (remaining ?? 0), 0);
}

function reaches(standing: Standing): boolean {
  const { amount, percent, buckets } = standing;
  const left = leftOf(standing);
  if (left === null) return false;
  const granted = buckets.reduce((sum, one) => sum + (one.isOpen ? (one.granted ?? 0) : 0), 0);
  return left <= (amount ?? Math.floor((granted * (percent ?? 0)) / 100));
}

/** The same was asked for before the record came. */
const isAsked = (is: Standing, was: Standing | undefined): boolean =>
  is.setAt !== null &&
  was?.setAt?.getTime() === is.setAt.getTime() &&
  was.amount === is.amount &&
  was.percent === is.percent;
