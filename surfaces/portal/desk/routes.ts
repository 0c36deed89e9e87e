import type { Route } from '../route.ts';

/** The pages of operators. */
export const deskRoutes: readonly Route[] = [];
