import type { Route } from '../route.ts';
import { accountRoutes } from './account.tsx';
import { confirmRoutes } from './confirm.tsx';
import { helpRoutes } from './help.tsx';
import { lineRoutes } from './lines.tsx';
import { orderRoutes } from './order.tsx';
import { plansRoutes } from './plans.tsx';
import { signInRoutes } from './sign-in.tsx';
import { signUpRoutes } from './sign-up.tsx';

/** Everything that is not the desk. */
export const pages: readonly Route[] = [
  ...plansRoutes,
  ...signUpRoutes,
  ...signInRoutes,
  ...lineRoutes,
  ...orderRoutes,
  ...accountRoutes,
  ...helpRoutes,
  ...confirmRoutes,
];
