import { deskRoutes } from './desk/routes.ts';
import { pages } from './pages/pages.ts';
import type { Route } from './route.ts';

/** Every page there is, and for whom. A test walks them all. */
export const routes: readonly Route[] = [...pages, ...deskRoutes];
