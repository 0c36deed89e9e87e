import type { Refusal } from '../../kernel/error.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { command } from '../core/command.ts';
import { customerIdOf, objects, reference, refs, text } from '../core/party.ts';
import {
  type CreateInput,
  checkContract,
  createInput,
  createResource,
  type ResourceCommands,
  type ResourceDefinition,
  resourceCommands,
  type Stored,
} from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import type { Tx } from '../core/transaction.ts';

/** TMF677. A question about use, answered when it is asked and kept with its answer. */
export const queryUsageConsumptionResource: ResourceDefinition<'queryUsageConsumption'> = {
  resource: 'queryUsageConsumption',
  api: 'TMF677',
  table: 'queryUsageConsumption',
  prefix: 'quc',
  columns: (document) => ({ customerId: customerIdOf(document) ?? null }),
  customerOf: customerIdOf,
};

interface AskedLine {
  id: string;
  name: string | null;
  msisdn: string | null;
  serviceId: string | null;
  customerId: string;
  periodStartsAt: Date | null;
  periodEndsAt: Date | null;
}

export interface ConsumptionFacts {
  document: JsonObject;
  /** Whether the question names a line or a customer in any way that the house knows. */
  isNamed: boolean;
  /** One more than an answer holds, when there are too many. */
  lines: readonly AskedLine[];
}

const linesMax = 100;

export const namesWhose = rule<ConsumptionFacts>({
  code: 'usage_consumption.names_whose',
  sentence: 'Say whose use is asked for: a product, a service, a number, a bucket, an account or a customer.',
  kept: (facts) => facts.isNamed,
});

export const notTooMany = rule<ConsumptionFacts>({
  code: 'usage_consumption.lines_at_most',
  sentence: `One question is answered for at most ${linesMax} lines: name fewer of them.`,
  kept: (facts) => facts.lines.length <= linesMax,
});

/** The ids that references hold, or null where there are no references: then they narrow nothing. */
function idsOf(value: Json | undefined, also: 'name' | undefined = undefined): string[] | null {
  const found = objects(value);
  if (found.length === 0) return null;
  return found.flatMap((one) => [text(one.id), also === undefined ? undefined : text(one[also])]).filter(isText);
}

const isText = (value: string | undefined): value is string => value !== undefined;

/** Finds the lines that meet all criteria. A number means the line that has it now, not those that had it before. */
async function linesAsked(tx: Tx, document: JsonObject): Promise<Pick<ConsumptionFacts, 'isNamed' | 'lines'>> {
  const criteria = isJsonObject(document.searchCriteria) ? document.searchCriteria : {};
  const products = idsOf(criteria.product);
  const services = idsOf(criteria.service);
  const numbers = idsOf(criteria.logicalResource, 'name')?.map((number) => number.replace(/^\+/, '')) ?? null;
  const buckets = idsOf(criteria.bucketRefOrValue);
  const accounts = idsOf(criteria.partyAccount) ?? idsOf(document.partyAccount);
  const customer = customerIdOf(criteria) ?? customerIdOf(document) ?? null;
  const isNamed = [products, services, numbers, buckets, accounts, customer].some((one) => one !== null);
  if (!isNamed) return { isNamed, lines: [] };
  const lines =
    await tx.sql<AskedLine>`SELECT s."id", s."document" ->> 'name' AS name, s."msisdn", s."service_id", s."customer_id",
      s."period_starts_at", s."period_ends_at"
    FROM "subscription" s
    WHERE (${products}::text[] IS NULL OR s."id" = ANY (${products}::text[]))
      AND (${products}::text[] IS NOT NULL OR s."state" <> 'terminated')
      AND (${services}::text[] IS NULL OR s."service_id" = ANY (${services}::text[])
        OR s."service_id" IN (SELECT v."parent_id" FROM "service" v WHERE v."id" = ANY (${services}::text[])))
      AND (${numbers}::text[] IS NULL OR s."msisdn" = ANY (${numbers}::text[]))
      AND (${buckets}::text[] IS NULL OR s."id" IN (SELECT b."subscription_id" FROM "bucket" b WHERE b."id" = ANY (${buckets}::text[])))
      AND (${accounts}::text[] IS NULL OR s."customer_id" IN (SELECT a."customer_id" FROM "billing_account" a WHERE a."id" = ANY (${accounts}::text[])))
      AND (${customer}::text IS NULL OR s."customer_id" = ${customer})
    ORDER BY s."id" LIMIT ${linesMax + 1}`;
  return { isNamed, lines };
}

interface BucketRow {
  subscriptionId: string;
  document: JsonObject;
  used: JsonObject;
  usedName: string;
  granted: JsonObject;
  grantedName: string;
}

/** The buckets of lines that can be used now, or that could at any time of the period that is asked for. */
function bucketsOf(tx: Tx, lines: readonly AskedLine[], document: JsonObject): Promise<BucketRow[]> {
  const criteria = isJsonObject(document.searchCriteria) ? document.searchCriteria : {};
  const period = isJsonObject(criteria.validPeriod) ? criteria.validPeriod : undefined;
  const from = text(period?.startDateTime) ?? null;
  const to = text(period?.endDateTime) ?? null;
  const asked = idsOf(criteria.bucketRefOrValue);
  return tx.sql<BucketRow>`SELECT b."subscription_id", w."document", wire_quantity(b."kind", b."used") AS used,
      wire_quantity_name(b."kind", b."used") AS used_name, wire_quantity(b."kind", b."granted") AS granted,
      wire_quantity_name(b."kind", b."granted") AS granted_name
    FROM "bucket" b JOIN "bucket_wire" w ON w."id" = b."id"
    WHERE b."subscription_id" = ANY (${lines.map((line) => line.id)}::text[])
      AND (${asked}::text[] IS NULL OR b."id" = ANY (${asked}::text[]))
      AND CASE WHEN ${period !== undefined}::boolean
        THEN (${to}::timestamptz IS NULL OR b."valid_from" <= ${to}::timestamptz)
          AND (${from}::timestamptz IS NULL OR b."expires_at" IS NULL OR b."expires_at" > ${from}::timestamptz)
        ELSE b."state" = 'active' END
    ORDER BY b."id"`;
}

function bucketAnswer(bucket: BucketRow): JsonObject {
  const { document } = bucket;
  const id = text(document.id) ?? '';
  const counter = (counterType: string, value: JsonObject | undefined, valueName: string): JsonObject => ({
    counterType,
    level: 'product',
    valueName,
    // Without an amount it is unlimited; the contract would have a missing one read as 1.
    ...(value?.amount === undefined ? {} : { value }),
    ...(isJsonObject(document.validFor) ? { consumptionPeriod: document.validFor } : {}),
  });
  const remaining = isJsonObject(document.remainingValue) ? document.remainingValue : undefined;
  const { requestedDate: _, confirmationDate: __, '@type': ___, ...rest } = document;
  return {
    ...rest,
    href: text(reference('TMF654', 'bucket', id).href) ?? '',
    '@type': 'BucketRefOrValue',
    bucketCounter: [
      counter('granted', bucket.granted, bucket.grantedName),
      counter('used', bucket.used, bucket.usedName),
      counter('remaining', remaining, text(document.remainingValueName) ?? ''),
    ],
  };
}

function lineAnswer(tx: Tx, line: AskedLine, buckets: readonly BucketRow[]): JsonObject {
  const at = tx.now.toISOString();
  return {
    '@type': 'UsageConsumption',
    id: line.id,
    name: line.name ?? 'Line',
    creationDate: at,
    lastUpdate: at,
    state: 'done',
    product: [refs.product(line.id, line.name ?? undefined)],
    ...(line.serviceId === null ? {} : { service: [refs.service(line.serviceId)] }),
    ...(line.msisdn === null ? {} : { logicalResource: [refs.number(line.msisdn)] }),
    relatedParty: [refs.customer(line.customerId)],
    ...(line.periodStartsAt && line.periodEndsAt
      ? {
          validPeriod: {
            startDateTime: line.periodStartsAt.toISOString(),
            endDateTime: line.periodEndsAt.toISOString(),
          },
        }
      : {}),
    bucketRefOrValue: buckets.filter((bucket) => bucket.subscriptionId === line.id).map(bucketAnswer),
  };
}

function answered(tx: Tx, document: JsonObject, usageConsumption: JsonObject[]): JsonObject {
  return {
    '@type': 'QueryUsageConsumption',
    ...document,
    queryUsageConsumptionDate: tx.now.toISOString(),
    usageConsumption,
  };
}

const create = command<CreateInput, ConsumptionFacts, Stored>({
  name: 'query_usage_consumption.create',
  summary: 'Ask how much of their allowances lines have used, by a TMF677 body',
  input: createInput,
  audience: ['operator', 'integrator'],
  effect: 'write',
  rules: [namesWhose, notTooMany],
  async facts(tx, input) {
    const document = input.document as JsonObject;
    await checkContract(queryUsageConsumptionResource, document);
    return { document, ...(await linesAsked(tx, document)) };
  },
  async apply(tx, facts) {
    const lines = facts.lines.slice(0, linesMax);
    const buckets = await bucketsOf(tx, lines, facts.document);
    const answers = lines.map((line) => lineAnswer(tx, line, buckets));
    return createResource(tx, queryUsageConsumptionResource, answered(tx, facts.document, answers));
  },
  keepRefused: (tx, facts, _input, refusal: Refusal) =>
    createResource(
      tx,
      queryUsageConsumptionResource,
      answered(tx, facts.document, [
        {
          '@type': 'UsageConsumption',
          state: 'terminatedWithError',
          creationDate: tx.now.toISOString(),
          description: `${refusal.code}: ${refusal.message}`,
        },
      ]),
    ),
});

export const usageConsumptionCommands: ResourceCommands = {
  ...resourceCommands(queryUsageConsumptionResource, { operations: ['remove'] }),
  create,
};
