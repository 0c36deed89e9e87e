import type { Route } from '../route.ts';
import { plansRoutes } from './plans.tsx';
import { signInRoutes } from './sign-in.tsx';

/** Everything that is not the desk. */
export const pages: readonly Route[] = [...plansRoutes, ...signInRoutes];
