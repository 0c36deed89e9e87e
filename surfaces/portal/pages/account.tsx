import { type BillView, listBills, showBill } from '../../../read/views/bill.ts';
import { showCustomer } from '../../../read/views/customer.ts';
import { type Problem, problemOf, wanted } from '../form.ts';
import { Heading } from '../layout.tsx';
import { download, type Page, page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { ActionButton, ProblemSummary } from '../ui/form.tsx';
import { Done } from '../ui/notices.tsx';
import { Badge, ButtonLink, Card, Pairs, Table } from '../ui/parts.tsx';
import { cardWords, day, longDay } from '../ui/words.ts';
import { CardForm, cardPage, cardWanted, isToOpen, openCardEntry } from './card-form.tsx';
import { proposed } from './confirm.tsx';

// ---- cards ----

/** @param problem with a new card, or with one of the list: each is said where it was met. */
async function cardsPage(visit: Visit, problem?: { ofNew?: Problem; ofList?: Problem }): Promise<Page> {
  const { cards, now } = await visit.read(showCustomer, {});
  const entry = await openCardEntry(visit);
  return page({
    title: 'Cards',
    width: 'narrow',
    problem: problem?.ofNew ?? problem?.ofList,
    ...cardPage(entry),
    body: (
      <>
        <Heading title="Cards" lead="Renewals and top-ups are paid by the first of them." />
        <Done visit={visit} />
        {problem?.ofList ? <ProblemSummary problem={problem.ofList} /> : null}
        <Card>
          {cards.length === 0 ? (
            <p class="empty">No card is on file.</p>
          ) : (
            <ul class="rows">
              {cards.map((card) => {
                const isOver = card.expiresAt !== null && card.expiresAt < now;
                return (
                  <li key={card.id}>
                    <div class="row">
                      <span>
                        <span class="row-name">{cardWords(card)}</span>
                        <span class="row-detail">
                          {card.expiresAt === null
                            ? ''
                            : `${isOver ? 'Expired' : 'Good until'} ${card.expiresAt.slice(5, 7)}/${card.expiresAt.slice(0, 4)}`}
                        </span>
                      </span>
                      <span class="row-end">
                        {isOver ? <Badge tone="warn">expired</Badge> : null}
                        {card.isPreferred ? (
                          <Badge tone="good">is charged</Badge>
                        ) : (
                          <ActionButton
                            action={`/account/cards/${card.id}/prefer`}
                            label="Charge this one"
                            kind="secondary"
                          />
                        )}
                        <ActionButton action={`/account/cards/${card.id}/remove`} label="Remove" kind="plain" />
                      </span>
                    </div>
                  </li>
                );
              })}
            </ul>
          )}
        </Card>
        <Card title="Another card">
          <CardForm cards={entry} action="/account/cards" label="Put it on file" problem={problem?.ofNew} />
        </Card>
        <p class="fine">Putting a card on file charges nothing.</p>
      </>
    ),
  });
}

async function addCard(visit: Visit): Promise<Reply> {
  try {
    if (isToOpen(visit.form)) return await cardsPage(visit);
    const { token } = wanted(visit.form, [cardWanted]);
    await visit.run('card.add', { token });
    return redirect('/account/cards?done=card-added');
  } catch (error) {
    return cardsPage(visit, { ofNew: problemOf(error) });
  }
}

async function preferCard(visit: Visit): Promise<Reply> {
  try {
    await visit.run('card.prefer', { cardId: visit.params.cardId ?? '' });
    return redirect('/account/cards?done=card-preferred');
  } catch (error) {
    return cardsPage(visit, { ofList: problemOf(error) });
  }
}

async function removeCard(visit: Visit): Promise<Reply> {
  try {
    return await proposed(visit, 'card.remove', { cardId: visit.params.cardId ?? '' });
  } catch (error) {
    return cardsPage(visit, { ofList: problemOf(error) });
  }
}

// ---- receipts ----

async function receipts(visit: Visit): Promise<Reply> {
  const after = visit.query.get('after');
  const { items, next, timeZone } = await visit.read(listBills, {
    limit: 20,
    ...(after !== null && /^[\w-]{1,80}$/.test(after) ? { after } : {}),
  });
  return page({
    title: 'Receipts',
    body: (
      <>
        <Heading title="Receipts" lead="Everything that you paid, and everything that was given back." />
        <Card>
          <Table
            caption="Receipts"
            rows={items}
            empty="Nothing was paid yet."
            columns={[
              { title: 'Date', value: (bill) => day(bill.billedAt, timeZone) },
              {
                title: 'Receipt',
                value: (bill) => <a href={`/account/receipts/${bill.id}`}>{bill.billNo ?? bill.id}</a>,
              },
              {
                title: 'What',
                isExtra: true,
                value: (bill) => (bill.category === 'creditNote' ? 'Given back' : 'Paid'),
              },
              { title: 'Amount', align: 'end', value: (bill) => bill.amount?.text ?? '' },
            ]}
          />
        </Card>
        {next === null ? null : (
          <p class="line-acts">
            <ButtonLink to={`/account/receipts?after=${encodeURIComponent(next)}`}>Older receipts</ButtonLink>
          </p>
        )}
      </>
    ),
  });
}

const billOf = (visit: Visit): Promise<BillView> => visit.read(showBill, { billId: visit.params.billId ?? '' });

function period({ from, to }: BillView['lines'][number], zone: string): string {
  if (from === null || to === null) return '';
  const [first, last] = [day(from, zone), day(to, zone)];
  return first === last ? first : `${first} to ${last}`;
}

async function receipt(visit: Visit): Promise<Reply> {
  const bill = await billOf(visit);
  const isCredit = bill.category === 'creditNote';
  return page({
    title: `${isCredit ? 'Credit note' : 'Receipt'} ${bill.billNo ?? ''}`,
    width: 'narrow',
    body: (
      <>
        <Heading
          title={isCredit ? 'Credit note' : 'Receipt'}
          lead={`No. ${bill.billNo ?? bill.id}, ${longDay(bill.billedAt, bill.timeZone)}`}
          back={{ to: '/account/receipts', label: 'Receipts' }}
        />
        <Card>
          <ul class="rows">
            {bill.lines.map((line) => (
              <li key={`${line.name} ${line.from} ${line.to}`}>
                <div class="row">
                  <span>
                    <span class="row-name">{line.name}</span>
                    <span class="row-detail">{period(line, bill.timeZone)}</span>
                  </span>
                </div>
              </li>
            ))}
          </ul>
        </Card>
        <Card>
          <Pairs
            items={[
              ['For', bill.customer?.name],
              [isCredit ? 'To' : 'Paid by', bill.card ? cardWords(bill.card) : ''],
              ['Without tax', bill.taxExcluded?.text],
              ['Tax', bill.tax?.text],
              ['Total', <strong class="total">{bill.amount?.text}</strong>],
            ]}
          />
        </Card>
        <p class="line-acts no-print">
          <ButtonLink to={`/account/receipts/${bill.id}/download`} kind="primary">
            Download
          </ButtonLink>
        </p>
        <p class="fine no-print">It prints well from here, too.</p>
      </>
    ),
  });
}

/** A receipt as a text that every program opens. */
function receiptText(bill: BillView): string {
  const rows: readonly (readonly [string, string])[] = [
    [bill.category === 'creditNote' ? 'Credit note' : 'Receipt', bill.billNo ?? bill.id],
    ['Date', longDay(bill.billedAt, bill.timeZone)],
    ['For', bill.customer?.name ?? ''],
    ...bill.lines.map((line): [string, string] => ['Item', [line.name, period(line, bill.timeZone)].join('  ').trim()]),
    ['Card', bill.card ? cardWords(bill.card) : ''],
    ['Without tax', bill.taxExcluded?.text ?? ''],
    ['Tax', bill.tax?.text ?? ''],
    ['Total', bill.amount?.text ?? ''],
  ];
  // A name is one line here, whatever was typed into it.
  const line = (text: string): string => text.replace(/\s+/g, ' ');
  return `${rows
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name.padEnd(14)}${line(value)}`)
    .join('\r\n')}\r\n`;
}

async function receiptDownload(visit: Visit): Promise<Reply> {
  const bill = await billOf(visit);
  return download(`receipt-${bill.billNo ?? bill.id}.txt`, 'text/plain; charset=utf-8', receiptText(bill));
}

const own = { audience: 'customer' } as const;

export const accountRoutes: readonly Route[] = [
  { method: 'GET', path: '/account/cards', ...own, operation: 'cards', handle: (visit) => cardsPage(visit) },
  { method: 'POST', path: '/account/cards', ...own, operation: 'addCard', handle: addCard },
  { method: 'POST', path: '/account/cards/:cardId/prefer', ...own, operation: 'preferCard', handle: preferCard },
  { method: 'POST', path: '/account/cards/:cardId/remove', ...own, operation: 'removeCard', handle: removeCard },
  { method: 'GET', path: '/account/receipts', ...own, operation: 'receipts', handle: receipts },
  { method: 'GET', path: '/account/receipts/:billId', ...own, operation: 'receipt', handle: receipt },
  {
    method: 'GET',
    path: '/account/receipts/:billId/download',
    ...own,
    operation: 'receiptDownload',
    handle: receiptDownload,
  },
];
