import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { taxPercent } from '../kernel/money.ts';
import { isSellable, isWithin, offeringKinds, offeringTerms } from '../policy/catalogue/offering-terms.ts';
import { readSettings } from '../policy/setting/settings.ts';
import { query } from '../read/views/query.ts';
import { arraySql, moneyShape, quantityShape, readAt, readAtSql, withTexts } from '../read/views/shapes.ts';

export const priceList = z.object({
  ...readAt,
  items: z.array(
    z.object({
      id: z.string(),
      code: z.string().nullable(),
      name: z.string(),
      description: z.string().nullable(),
      kind: z.enum(offeringKinds).nullable(),
      state: z.string().nullable(),
      isOnSale: z.boolean(),
      price: moneyShape.nullable().describe('Tax included; null for a period, which costs what the line costs'),
      isMonthly: z.boolean(),
      taxPercent: z.number().nullable(),
      allowances: z.array(quantityShape),
      validityHours: z.number().nullable().describe('How long an add-on lasts'),
      fault: z.string().nullable().describe('Why it cannot be sold'),
    }),
  ),
});
export type PriceList = z.infer<typeof priceList>;

const rowsShape = z.object({
  ...readAt,
  rows: z.array(
    z.object({
      state: z.string().nullable(),
      document: z.custom<JsonObject>(isJsonObject),
      prices: z.array(z.custom<JsonObject>(isJsonObject)),
    }),
  ),
});

// It stands here and not with the other views: what an offering sells for is read by the catalogue's own terms.
export const listOfferings = query({
  name: 'offering.list',
  summary: 'Show the price list: plans, add-ons and what they give',
  audience: ['operator', 'customer', 'integrator'],
  input: z.strictObject({
    kind: z.enum(offeringKinds).optional().describe('Offerings of this kind only'),
    all: z.boolean().default(false).describe('Also what is not on sale'),
  }),
  output: priceList,
  examples: ['bss offering list', 'bss offering list --kind vas'],
  view: 'price-list',
  run: async (database, { kind, all }) => {
    const settings = await readSettings(database);
    const answer = await database.query<{ view: unknown }>(
      `SELECT json_build_object(${readAtSql}, 'rows', ${arraySql(`
      SELECT json_build_object('state', o."state", 'document', o."document", 'prices', ${arraySql(`SELECT p."document" AS item FROM "product_offering_price" p
        WHERE p."id" IN (SELECT jsonb_path_query(o."document", '$.productOfferingPrice[*].id') #>> '{}') ORDER BY p."id"`)}) AS item
      FROM "product_offering" o ORDER BY o."code" NULLS LAST, o."id" LIMIT 1000`)}) AS view`,
    );
    const { rows, ...read } = rowsShape.parse(answer.rows[0]?.view);
    const now = new Date(read.now);
    const items = rows.map(({ state, document, prices }) => {
      const terms = offeringTerms(
        document,
        prices.filter((price) => isWithin(price.validFor, now)),
        settings,
      );
      const text = (name: string) => (typeof document[name] === 'string' ? document[name] : null);
      const about = {
        id: text('id') ?? '',
        code: text('code'),
        name: text('name') ?? '',
        description: text('description'),
        state,
      };
      if ('fault' in terms) {
        return {
          ...about,
          kind: null,
          isOnSale: false,
          price: null,
          isMonthly: false,
          taxPercent: null,
          allowances: [],
          validityHours: null,
          fault: terms.fault,
        };
      }
      const { amountMinor, currency } = terms;
      return {
        ...about,
        kind: terms.kind,
        isOnSale: isSellable(document, now),
        price: terms.kind === 'period' ? null : { amountMinor, currency },
        isMonthly: terms.kind === 'plan',
        taxPercent: taxPercent(terms.taxRate),
        allowances: terms.allowances.map((allowance) => ({ kind: allowance.kind, amount: allowance.quantity })),
        validityHours: terms.validityHours,
        fault: null,
      };
    });
    const order = (item: { kind: (typeof offeringKinds)[number] | null }) =>
      item.kind === null ? offeringKinds.length : offeringKinds.indexOf(item.kind);
    return priceList.parse(
      withTexts({
        ...read,
        items: items
          .filter((item) => (all || item.isOnSale) && (kind === undefined || item.kind === kind))
          .sort((a, b) => order(a) - order(b) || (a.price?.amountMinor ?? 0) - (b.price?.amountMinor ?? 0)),
      }),
    );
  },
});
