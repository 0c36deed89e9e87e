import { z } from 'zod';
import { formatQuantity, kindName } from '../../kernel/quantity.ts';
import { command } from '../core/command.ts';
import { belongsToCaller } from '../core/ownership.ts';
import { objects } from '../core/party.ts';
import { documentOf, type Stored, storedShape } from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { logInteraction } from '../interaction/commands.ts';
import { describeLine, productResource } from './line.ts';
import { type LineFacts, lineFacts, needsLiveLine, theLine } from './rules.ts';

const kinds = ['data', 'voice', 'sms', 'roamingData'] as const;
type Kind = (typeof kinds)[number];

/** The units that measure a kind, in base units. */
const unitsOf: Readonly<Record<Kind, Readonly<Record<string, number>>>> = {
  data: { mb: 1024 ** 2, gb: 1024 ** 3 },
  roamingData: { mb: 1024 ** 2, gb: 1024 ** 3 },
  voice: { s: 1, min: 60 },
  sms: { sms: 1 },
};

const alertInput = z.object({
  subscriptionId: z.string().describe('The line'),
  kind: z.enum(kinds).describe('Of what'),
  left: z
    .string()
    .regex(/^(off|\d{1,9}(\.\d{1,3})? ?(%|[A-Za-z]{1,3}))$/)
    .describe('Tell the customer when so much is left: 500 MB, 20 min, 10 SMS, or 20 % of what there is; or off'),
});
type AlertInput = z.infer<typeof alertInput>;

/** What is asked for: nothing, a part, or an amount; undefined where it measures no such thing. */
type Threshold = { percent: number; amount: null } | { percent: null; amount: number } | 'off' | undefined;

function thresholdOf({ kind, left }: AlertInput): Threshold {
  if (left === 'off') return 'off';
  const [, value = '', unit = ''] = /^([\d.]+) ?(.+)$/.exec(left) ?? [];
  const number = Number(value);
  if (unit === '%')
    return Number.isInteger(number) && number >= 1 && number <= 99 ? { percent: number, amount: null } : undefined;
  const amount = Math.ceil(number * (unitsOf[kind][unit.toLowerCase()] ?? Number.NaN));
  return amount > 0 && Number.isSafeInteger(amount) ? { percent: null, amount } : undefined;
}

interface AlertFacts extends LineFacts {
  threshold: Threshold;
  asked: AlertInput;
}

export const alertNeedsLiveLine = needsLiveLine('subscription.alert_needs_live_line', 'tells when little is left');

export const alertFitsKind = rule<AlertFacts>({
  code: 'subscription.alert_fits_kind',
  sentence: 'An alert is an amount above nothing in a unit of its kind (MB, GB, s, min, SMS), or 1 to 99 %.',
  kept: ({ threshold }) => threshold !== undefined,
  shown: ({ asked }) => ({ kind: asked.kind, left: asked.left }),
});

/** In the words of a person, as the line says it of itself. */
function inWords(kind: string, threshold: Exclude<Threshold, undefined>): string {
  if (threshold === 'off') return 'off';
  return threshold.percent === null ? formatQuantity(kind, threshold.amount) : `${threshold.percent} %`;
}

/** The line's own wish, beside the news at four fifths of a bucket: told once in a period, and it never gives quota. */
export const setAlert = command<AlertInput, AlertFacts, Stored>({
  name: 'subscription.set_alert',
  summary: 'Tell a customer when so much is left on a line, as an amount or a part, once a period',
  input: alertInput,
  output: storedShape(productResource),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'write',
  positional: ['subscriptionId', 'kind', 'left'],
  examples: ['bss subscription set-alert sub_… data "500 MB"', 'bss subscription set-alert sub_… voice 20%'],
  rules: [belongsToCaller<AlertFacts>(({ line }) => line?.customerId), alertNeedsLiveLine, alertFitsKind],
  facts: async (tx, input) => ({
    ...(await lineFacts(tx, input.subscriptionId)),
    threshold: thresholdOf(input),
    asked: input,
  }),
  async apply(tx, facts, { kind: asked }) {
    const line = theLine(facts);
    const kind = asked === 'roamingData' ? 'roaming_data' : asked;
    const threshold = facts.threshold ?? 'off';
    if (threshold === 'off') {
      await tx.sql`DELETE FROM "balance_alert" WHERE "subscription_id" = ${line.id} AND "kind" = ${kind}`;
    } else {
      await tx.sql`INSERT INTO "balance_alert" ("subscription_id", "kind", "left_amount", "left_percent", "updated_at")
        VALUES (${line.id}, ${kind}, ${threshold.amount}, ${threshold.percent}, ${tx.now})
        ON CONFLICT ("subscription_id", "kind") DO UPDATE SET "left_amount" = excluded."left_amount",
          "left_percent" = excluded."left_percent", "updated_at" = excluded."updated_at"`;
    }
    await tx.sql`UPDATE "bucket" SET "alerted" = ${threshold !== 'off'} WHERE "subscription_id" = ${line.id} AND "kind" = ${kind} AND "state" = 'active'`;
    const name = `balanceAlert.${asked}`;
    const value = inWords(kind, threshold);
    const described = await describeLine(tx, line, (document) => ({
      ...document,
      productCharacteristic: [
        ...objects(document.productCharacteristic).filter((one) => one.name !== name),
        ...(threshold === 'off' ? [] : [{ name, valueType: 'string', value }]),
      ],
    }));
    await logInteraction(tx, {
      customerId: line.customerId,
      direction: 'inbound',
      reason: 'balance alert',
      description: `${kindName(kind)} of ${line.msisdn}: ${threshold === 'off' ? 'no alert' : `an alert at ${value} left`}`,
    });
    return { id: described.id, document: documentOf(described), version: described.version };
  },
});
