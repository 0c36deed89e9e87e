import type { World } from './world.ts';

export type Who = 'visitor' | 'customer' | 'operator';

/** A page that is looked at as it stands: nothing is clicked on the way to it. */
export interface Screen {
  readonly name: string;
  readonly as: Who;
  readonly path: (world: World) => string;
  /** What it is answered with, where that is not 200. */
  readonly status?: number;
  /** A part of a page, for a script: it is asked for, and has no head of its own to look at. */
  readonly isPart?: boolean;
  /** What it downloads is a file. */
  readonly isDownload?: boolean;
  /** What it shows that its script makes: it may lack without. */
  readonly needsScript?: boolean;
}

const visitor = (name: string, path: string, more: Partial<Screen> = {}): Screen => ({
  name,
  as: 'visitor',
  path: () => path,
  ...more,
});
const customer = (name: string, path: Screen['path'], more: Partial<Screen> = {}): Screen => ({
  name: `account ${name}`,
  as: 'customer',
  path,
  ...more,
});
const operator = (name: string, path: Screen['path'], more: Partial<Screen> = {}): Screen => ({
  name: `desk ${name}`,
  as: 'operator',
  path,
  ...more,
});

const line = (page: string) => (world: World) => `/account/lines/${world.ada.line}${page}`;

/** Every page that a person can look at without doing anything before. */
export const screens: readonly Screen[] = [
  visitor('plans', '/plans'),
  visitor('sign-up', '/sign-up?plan=PLAN_M'),
  visitor('sign-in', '/sign-in'),
  visitor('sign-in link', '/sign-in/link?token=none'),
  visitor('desk sign-in', '/desk/sign-in'),
  visitor('desk sign-in link', '/desk/sign-in?token=none'),
  visitor('not here', '/account/nothing', { status: 404 }),

  customer('overview', () => '/account'),
  customer('line', line('')),
  customer('balances', line('/balances'), { isPart: true }),
  customer('top-up', line('/top-up')),
  customer('plan', line('/plan')),
  customer('end', line('/end')),
  customer('esim', line('/esim')),
  customer('usage', line('/usage?days=30')),
  customer('new line', () => '/account/new-line'),
  customer('order', ({ order }) => `/account/orders/${order}`),
  customer('cards', () => '/account/cards'),
  customer('receipts', () => '/account/receipts'),
  customer('receipt', ({ bill }) => `/account/receipts/${bill}`),
  customer('receipt download', ({ bill }) => `/account/receipts/${bill}/download`, { isDownload: true }),
  customer('details', () => '/account/details'),
  customer('help', () => '/account/help'),
  customer('new ticket', () => '/account/help/new'),
  customer('ticket', ({ ticket }) => `/account/help/${ticket}`),
  customer('chat', () => '/account/chat'),
  customer('proposal', ({ ada }) => {
    const input = JSON.stringify({ subscriptionId: ada.line, offering: 'VAS_DATA_1GB' });
    return `/account/propose?${new URLSearchParams({ tool: 'subscription.top_up', arguments: input })}`;
  }),
  customer('of another', ({ ben }) => `/account/lines/${ben.line}`, { status: 404 }),

  operator('today', () => '/desk'),
  operator('now', () => '/desk/now', { isPart: true }),
  operator('customers', () => '/desk/customers'),
  operator('customers found', () => '/desk/customers?search=ada'),
  operator('customers none', () => '/desk/customers?search=nobody+at+all'),
  operator('customer', ({ ada }) => `/desk/customers/${ada.customerId}`),
  operator('line', ({ ada }) => `/desk/lines/${ada.line}`),
  operator('line blocked', ({ ben }) => `/desk/lines/${ben.line}`),
  operator('orders', () => '/desk/orders'),
  operator('order', ({ order }) => `/desk/orders/${order}`),
  operator('order declined', ({ declinedOrder }) => `/desk/orders/${declinedOrder}`),
  operator('bills', () => '/desk/bills'),
  operator('bill', ({ bill }) => `/desk/bills/${bill}`),
  operator('tickets', () => '/desk/tickets'),
  operator('ticket', ({ ticket }) => `/desk/tickets/${ticket}`),
  operator('work', () => '/desk/work'),
  operator('events', () => '/desk/events'),
  operator('trace search', ({ ada }) => `/desk/trace?of=${ada.msisdn}`),
  operator('trace', ({ order }) => `/desk/trace/${order}`),
  operator('chat', () => '/desk/chat'),
  operator('confirm', ({ ada }) => {
    const input = JSON.stringify({ subscriptionId: ada.line, offering: 'VAS_DATA_1GB' });
    return `/desk/confirm?${new URLSearchParams({ tool: 'subscription.top_up', arguments: input })}`;
  }),
  operator('done', () => '/desk/done'),
  operator('not here', () => '/desk/customers/cus_none', { status: 404 }),
];
