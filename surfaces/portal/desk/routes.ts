import type { Route } from '../route.ts';
import { billRoutes } from './bills.tsx';
import { chatRoutes } from './chat.tsx';
import { customerRoutes } from './customers.tsx';
import { eventRoutes } from './events.tsx';
import { lineRoutes } from './lines.tsx';
import { orderRoutes } from './orders.tsx';
import { signInRoutes } from './sign-in.tsx';
import { ticketRoutes } from './tickets.tsx';
import { todayRoutes } from './today.tsx';
import { workRoutes } from './work.tsx';

/** The pages of operators. */
export const deskRoutes: readonly Route[] = [
  ...signInRoutes,
  ...todayRoutes,
  ...customerRoutes,
  ...lineRoutes,
  ...orderRoutes,
  ...billRoutes,
  ...ticketRoutes,
  ...workRoutes,
  ...eventRoutes,
  ...chatRoutes,
];
