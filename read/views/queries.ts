import { listAudit } from './audit.ts';
import { listBills, showBill } from './bill.ts';
import { showClock } from './clock.ts';
import { listConversations, showConversation } from './conversation.ts';
import { listCustomers, showCustomer } from './customer.ts';
import { showDashboard } from './dashboard.ts';
import { showEsim } from './esim.ts';
import { listEvents, traceEvents } from './event.ts';
import { listSteps } from './flow.ts';
import { searchHandbookView } from './handbook.ts';
import { showHealth } from './health.ts';
import { listInteractions } from './interaction.ts';
import { listHubs, listParked } from './notification.ts';
import { listOrders, showOrder } from './order.ts';
import { listQuarantine } from './quarantine.ts';
import type { AnyQuery } from './query.ts';
import { listEsims, listNumbers } from './stock.ts';
import { listSubscriptions, showSubscription } from './subscription.ts';
import { listTickets, showTicket } from './ticket.ts';
import { listTokens } from './token.ts';
import { listUsage } from './usage.ts';

/** Every view that people look at. */
export const queries: readonly AnyQuery[] = [
  listCustomers,
  showCustomer,
  listSubscriptions,
  showSubscription,
  listOrders,
  showOrder,
  listUsage,
  listQuarantine,
  listBills,
  showBill,
  listTickets,
  showTicket,
  listNumbers,
  listEsims,
  listEvents,
  traceEvents,
  listSteps,
  listHubs,
  listParked,
  showClock,
  showHealth,
  listTokens,
  listAudit,
  showDashboard,
  showEsim,
  searchHandbookView,
  listConversations,
  showConversation,
  listInteractions,
];
