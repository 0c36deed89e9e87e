import { createHash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import type { Pool } from 'pg';
import { AirtimeError, notFound } from '../../kernel/error.ts';
import { formatMoney, fromWireMoney, type WireMoney } from '../../kernel/money.ts';
import { type PrintableBill, readPrintableBill } from '../../read/documents/bill.ts';
import { allowApi, authenticated, type Guard, through } from './authorise.ts';
import { sendText } from './exchange.ts';
import { HttpProblem } from './problem.ts';
import { requestIdFor, setCaller } from './server.ts';

const style = `
:root { color: #1b1b1b; background: #fff; font: 16px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
body { max-width: 46rem; margin: 2.5rem auto; padding: 0 1.5rem; }
header { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: .5rem 2rem; border-bottom: 2px solid; padding-bottom: .75rem; }
h1 { font-size: 1.5rem; margin: 0; }
header p { margin: 0; font-weight: 600; letter-spacing: .04em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 1.5rem 0; }
dt { color: #555; }
dd { margin: 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid #ccc; overflow-wrap: anywhere; }
th { font-size: .875rem; color: #555; font-weight: 600; }
.money { text-align: right; padding-right: 0; padding-left: .75rem; white-space: nowrap; }
.whole { white-space: nowrap; }
tfoot th, tfoot td { border-bottom: 0; padding-bottom: .125rem; color: inherit; font-size: 1rem; font-weight: 400; }
tfoot tr:last-child > * { font-weight: 700; border-top: 1px solid; }
.about { color: #555; font-size: .875rem; }
footer { margin-top: 2.5rem; color: #555; font-size: .875rem; }
@media (max-width: 34rem) { .wide { display: none; } }
@page { margin: 18mm; }
@media print { body { margin: 0; padding: 0; max-width: none; } tr { break-inside: avoid; } .wide { display: table-cell; } }
`;

// The page holds one style and nothing else that a browser would run or fetch; the policy says so.
const styleHash = createHash('sha256').update(style).digest('base64');
const contentSecurityPolicy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Text that is already markup; everything else that goes into a page is escaped. */
interface Markup {
  readonly markup: string;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

type Part = string | number | Markup | readonly Markup[];

function markupOf(part: Part): string {
  if (typeof part === 'string' || typeof part === 'number')
    return String(part).replace(/[&<>"']/g, (one) => entities[one] ?? '');
  return 'markup' in part ? part.markup : part.map((one) => one.markup).join('');
}

function html(strings: TemplateStringsArray, ...parts: Part[]): Markup {
  return { markup: strings.reduce((all, text, index) => all + markupOf(parts[index - 1] ?? '') + text) };
}

const none: Markup = { markup: '' };

function moneyText(wire: WireMoney): string {
  const money = fromWireMoney(wire);
  return money ? formatMoney(money) : `${wire.unit} ${wire.value}`;
}

const titles = { receipt: 'Receipt', creditNote: 'Credit note', statement: 'Statement' } as const;

/** Dates of a bill are the operator's, wherever it is read. */
function dates(timeZone: string) {
  const day = new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'long' });
  const short = new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'medium' });
  const instant = new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'long', timeStyle: 'short' });
  return {
    day: (at: string) => day.format(new Date(at)),
    short: (at: string) => short.format(new Date(at)),
    instant: (at: string) => instant.format(new Date(at)),
    /** A period ends before its last instant, so what ends at midnight covers the day before. */
    period: ({ startDateTime, endDateTime }: { startDateTime: string; endDateTime: string }) =>
      startDateTime === endDateTime
        ? undefined
        : `${day.format(new Date(startDateTime))} to ${day.format(new Date(Date.parse(endDateTime) - 1))}`,
  };
}

const fact = (name: string, value: string | null | undefined): Markup =>
  value ? html`<dt>${name}</dt><dd>${value}</dd>` : none;

/** A sum under the last column; `columns` are those before it that are always seen, `wide` those that a phone hides. */
const sumRow = (name: string, amount: WireMoney, columns: number, wide: number): Markup =>
  html`<tr><th scope="row" colspan="${columns}">${name}</th><td class="wide" colspan="${wide}"></td><td class="money">${moneyText(amount)}</td></tr>`;

function receiptTable(of: PrintableBill): Markup {
  const { period } = dates(of.timeZone);
  const { bill } = of;
  const lines = of.lines.map((line) => {
    const covered = line.periodCoverage ? period(line.periodCoverage) : undefined;
    const taxes = line.appliedTax.map((tax) => `${tax.taxRate ?? 0} %`).join(', ');
    return html`<tr><td>${line.name ?? ''}${covered === undefined ? none : html`<br><span class="about">${covered}</span>`}</td>
<td class="money wide">${moneyText(line.taxExcludedAmount)}</td><td class="money wide">${taxes}</td><td class="money">${moneyText(line.taxIncludedAmount)}</td></tr>`;
  });
  const sums = [
    bill.taxExcludedAmount ? sumRow('Before tax', bill.taxExcludedAmount, 1, 2) : none,
    ...(bill.taxItem ?? []).map((tax) => sumRow(`${tax.taxCategory ?? 'Tax'} ${tax.taxRate} %`, tax.taxAmount, 1, 2)),
    bill.taxIncludedAmount
      ? sumRow(bill.category === 'creditNote' ? 'Given back' : 'Paid', bill.taxIncludedAmount, 1, 2)
      : none,
  ];
  return html`<table><caption>${bill.category === 'creditNote' ? 'What was given back' : 'What was paid for'}</caption>
<thead><tr><th scope="col">Item</th><th scope="col" class="money wide">Before tax</th><th scope="col" class="money wide">Tax</th><th scope="col" class="money">Amount</th></tr></thead>
<tbody>${lines}</tbody><tfoot>${sums}</tfoot></table>`;
}

function statementTable(of: PrintableBill, statement: NonNullable<PrintableBill['bill']['statement']>): Markup {
  const { short } = dates(of.timeZone);
  const rows = statement.item.map(
    (
      item,
    ) => html`<tr><td class="whole">${short(item.date)}</td><td class="whole">${item.billNo}</td><td>${item.name ?? ''}</td>
<td class="money wide">${moneyText(item.taxAmount)}</td><td class="money">${moneyText(item.taxIncludedAmount)}</td></tr>`,
  );
  const empty = html`<tr><td colspan="5">Nothing was paid or given back in this period.</td></tr>`;
  return html`<table><caption>What was paid and given back</caption>
<thead><tr><th scope="col">Date</th><th scope="col">Number</th><th scope="col">Item</th><th scope="col" class="money wide">Tax</th><th scope="col" class="money">Amount</th></tr></thead>
<tbody>${rows.length === 0 ? empty : rows}</tbody>
<tfoot>${sumRow('Before tax', statement.taxExcludedAmount, 3, 1)}${sumRow('Tax', statement.taxAmount, 3, 1)}${sumRow('In all', statement.taxIncludedAmount, 3, 1)}</tfoot></table>`;
}

/** A receipt, credit note or statement as one page for a screen or for paper. */
export function billPage(of: PrintableBill): string {
  const { bill } = of;
  const { instant, period } = dates(of.timeZone);
  const title = `${titles[bill.category]} ${bill.billNo}`;
  const card = of.card ? `${of.card.brand ?? 'Card'} ending in ${of.card.lastFour}` : undefined;
  const covered = bill.billingPeriod && bill.category === 'statement' ? period(bill.billingPeriod) : undefined;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><style>${{ markup: style }}</style></head>
<body><header><h1>${title}</h1><p>Airtime</p></header>
<main><dl>${fact('Date', instant(bill.billDate))}${fact('Period', covered)}${fact('Customer', of.customer)}${fact('For receipt', of.receiptNo)}${fact(bill.category === 'creditNote' ? 'Back to' : 'Paid with', card)}</dl>
${bill.statement ? statementTable(of, bill.statement) : receiptTable(of)}</main>
<footer><p>${bill.category === 'statement' ? 'A statement lists receipts and credit notes. Nothing is due.' : 'Nothing is due.'} Times are those of ${of.timeZone}.</p></footer></body></html>
`;
  return page.markup;
}

const allow = 'GET, HEAD, OPTIONS';

/**
 * What a bill's `billDocument` leads to: `/bill/{id}` as a page that prints. For operators and integrators with a scope
 * for TMF678, the same who may read the bill itself.
 */
export function documentPages(parts: Guard & { pool: Pool }): RequestHandler {
  async function answer(request: Request, response: Response): Promise<void> {
    const id = /^\/bill\/([\w-]{1,100})\/?$/i.exec(request.path)?.[1];
    if (id === undefined) throw new HttpProblem(404, 'notFound', 'There is nothing at this path.');
    if (request.method === 'OPTIONS') {
      sendText(response, 'OPTIONS', { status: 204, headers: { Allow: allow }, text: null });
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new HttpProblem(405, 'methodNotAllowed', `This path answers ${allow}.`, { headers: { Allow: allow } });
    }
    const caller = await authenticated(request, parts);
    setCaller(request, through(caller, 'tmf', requestIdFor(request)));
    allowApi(caller, 'TMF678', request.method);
    if (request.accepts('html') === false) {
      throw new AirtimeError(
        406,
        'notAcceptable',
        'A printed bill is text/html; the Accept header of the request rules it out.',
      );
    }
    const bill = await readPrintableBill(parts.pool, id);
    if (!bill) throw notFound('bill', id);
    const headers = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': contentSecurityPolicy };
    sendText(response, request.method, { status: 200, headers, text: billPage(bill) });
  }
  return (request, response, next) => {
    answer(request, response).catch(next);
  };
}
