import { type OrderStage, type OrderView, showOrder } from '../../../read/views/order.ts';
import { Heading } from '../layout.tsx';
import { page, type Reply, type Route, type Visit } from '../route.ts';
import { ButtonLink, Card, Notice, Pairs, Steps } from '../ui/parts.tsx';
import { minute } from '../ui/words.ts';

const stageWords: Readonly<Record<OrderStage, string>> = {
  acknowledged: 'Order received',
  authorised: 'Card asked',
  reserved: 'Number and eSIM put aside',
  provisioned: 'Set up in the network',
  captured: 'Paid',
  enabled: 'Switched on',
  completed: 'Ready',
};

export function OrderProgress({ order }: { order: OrderView }) {
  return (
    <>
      {order.items.map((item) => (
        <Card key={item.id}>
          <Steps
            label={`How far ${item.offering.name} has come`}
            steps={item.stages.map(({ name, state, reason }) => ({
              name: stageWords[name],
              state,
              // Why a step is tried again is for our staff; a person needs to know that it is.
              ...(state === 'running' && reason !== null ? { detail: 'takes longer than usual; we keep trying' } : {}),
            }))}
          />
        </Card>
      ))}
    </>
  );
}

/** A payment that waits for its owner at the bank. */
export function BankAsks({ order }: { order: OrderView }) {
  if (order.state !== 'held') return null;
  return (
    <Notice tone="warn" title="Your bank asks you to confirm">
      <p>Look at your bank’s app or its message. The order goes on as soon as you have.</p>
    </Notice>
  );
}

export type Outcome =
  | { readonly kind: 'running' | 'waiting' | 'done' }
  | { readonly kind: 'failed'; readonly isDeclined: boolean; readonly reason: string | null };

const failedStates = ['failed', 'rejected', 'cancelled', 'partial'];

/** The gateway's own word for it stands before the sentence; a person needs the sentence. */
const sentenceOf = (reason: string | null): string | null => reason?.replace(/^[a-z_]+: /, '') ?? null;

/** What became of an order, for the page that follows it. */
export function outcomeOf(order: OrderView): Outcome {
  const state = order.state ?? '';
  if (state === 'completed') return { kind: 'done' };
  if (failedStates.includes(state)) {
    const payment = order.items.find((item) => item.payment !== null)?.payment;
    const isDeclined = payment?.state === 'denied' || (payment?.state === 'failed' && payment.reason !== null);
    const failed = order.items.flatMap(({ stages }) => stages).find((stage) => stage.state === 'failed');
    return { kind: 'failed', isDeclined, reason: sentenceOf((isDeclined ? payment?.reason : failed?.reason) ?? null) };
  }
  return { kind: order.items.every(({ action }) => action !== 'add') ? 'waiting' : 'running' };
}

export interface MoneyWords {
  readonly title: string;
  readonly detail: string | null;
}

type Payment = NonNullable<OrderView['items'][number]['payment']>;

function wordsOf({ state, amount, refunded }: Payment, isReady: boolean): MoneyWords | undefined {
  const sum = amount?.text ?? 'The money';
  if (state === 'done') return { title: `${sum} was taken from your card and given back`, detail: null };
  if (state === 'captured') {
    if (refunded !== null)
      return { title: `${sum} was taken from your card`, detail: `${refunded.text} of it was given back.` };
    return {
      title: `${sum} was taken from your card`,
      detail: isReady ? 'It paid what is ready.' : 'It goes back to the card; that can take a moment.',
    };
  }
  if (state === 'authorized')
    return { title: 'Nothing was taken from your card', detail: `${sum} is put aside on it, and will be let go.` };
  if (state === 'canceled')
    return { title: 'Nothing was taken from your card', detail: `${sum} was put aside on it, and was let go.` };
  return undefined;
}

/** What became of the money of an order that did not go through: what its payments say, and nothing that is hoped for. */
export function moneyOf(order: OrderView): MoneyWords {
  const words = order.items.flatMap(({ payment, state }) => {
    const said = payment ? wordsOf(payment, state === 'completed') : undefined;
    return said ? [said] : [];
  });
  // What was taken is said before what was not.
  return (
    words.find(({ title }) => !title.startsWith('Nothing')) ??
    words[0] ?? { title: 'Nothing was taken from your card', detail: null }
  );
}

async function show(visit: Visit): Promise<Reply> {
  const order = await visit.read(showOrder, { orderId: visit.params.orderId ?? '' });
  const outcome = outcomeOf(order);
  const money = moneyOf(order);
  const line = order.items.find(({ subscriptionId }) => subscriptionId !== null)?.subscriptionId;
  const isNewLine = order.items.some(({ stages }) => stages.some(({ name }) => name === 'enabled'));
  const title =
    outcome.kind === 'done'
      ? 'Done'
      : outcome.kind === 'failed'
        ? outcome.isDeclined
          ? 'The card was declined'
          : 'It did not work'
        : outcome.kind === 'waiting'
          ? 'Waits for the renewal'
          : 'On its way';
  return page({
    title,
    width: 'narrow',
    refreshSeconds: outcome.kind === 'running' ? 2 : undefined,
    body: (
      <>
        <Heading
          title={title}
          lead={order.items.map(({ offering }) => offering.name).join(', ')}
          back={line ? { to: `/account/lines/${line}`, label: 'Your line' } : { to: '/account', label: 'Overview' }}
        />
        {outcome.kind === 'failed' ? (
          <Notice tone="bad" title={money.title}>
            {money.detail === null ? null : <p>{money.detail}</p>}
            {outcome.reason === null ? null : <p>{outcome.reason}</p>}
            {outcome.isDeclined ? (
              <ButtonLink to="/account/cards" kind="secondary">
                Use another card
              </ButtonLink>
            ) : null}
          </Notice>
        ) : null}
        <BankAsks order={order} />
        <OrderProgress order={order} />
        <Card>
          <Pairs
            items={[
              ['Ordered', minute(order.orderedAt, order.timeZone)],
              ['Total', order.total?.text],
            ]}
          />
        </Card>
        {outcome.kind === 'running' ? (
          <p class="fine">
            The page looks again by itself. <a href={`/account/orders/${order.id}`}>Look now</a>
          </p>
        ) : (
          <div class="line-acts">
            {line && outcome.kind === 'done' && isNewLine ? (
              <ButtonLink to={`/account/lines/${line}/esim`} kind="primary">
                Get the eSIM
              </ButtonLink>
            ) : null}
            <ButtonLink to={line ? `/account/lines/${line}` : '/account'} kind={isNewLine ? 'secondary' : 'primary'}>
              {line ? 'To your line' : 'To your account'}
            </ButtonLink>
          </div>
        )}
      </>
    ),
  });
}

export const orderRoutes: readonly Route[] = [
  { method: 'GET', path: '/account/orders/:orderId', audience: 'customer', operation: 'order', handle: show },
];
