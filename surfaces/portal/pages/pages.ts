import type { Route } from '../route.ts';
import { accountRoutes } from './account.tsx';
import { confirmRoutes } from './confirm.tsx';
import { detailRoutes } from './details.tsx';
import { esimRoutes } from './esim.tsx';
import { helpRoutes } from './help.tsx';
import { lineChangeRoutes } from './line-changes.tsx';
import { lineRoutes } from './lines.tsx';
import { newLineRoutes } from './new-line.tsx';
import { orderRoutes } from './order.tsx';
import { overviewRoutes } from './overview.tsx';
import { plansRoutes } from './plans.tsx';
import { signInRoutes } from './sign-in.tsx';
import { signUpRoutes } from './sign-up.tsx';
import { signUpOrderRoutes } from './sign-up-order.tsx';
import { usageRoutes } from './usage.tsx';

/** Everything that is not the desk. */
export const pages: readonly Route[] = [
  ...plansRoutes,
  ...signUpRoutes,
  ...signUpOrderRoutes,
  ...signInRoutes,
  ...overviewRoutes,
  ...lineRoutes,
  ...lineChangeRoutes,
  ...esimRoutes,
  ...usageRoutes,
  ...newLineRoutes,
  ...orderRoutes,
  ...accountRoutes,
  ...detailRoutes,
  ...helpRoutes,
  ...confirmRoutes,
];
