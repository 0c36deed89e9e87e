/** A route as the table of the portal has it: `/account/lines/:subscriptionId`. */
export interface Route {
  readonly method: string;
  readonly path: string;
}

/** What a browser asked of the server. */
export interface Asked {
  readonly method: string;
  readonly path: string;
}

const segments = (path: string): string[] => path.split('/').filter((one) => one !== '');

function answersTo(route: Route, asked: Asked): boolean {
  if (route.method !== asked.method) return false;
  const wanted = segments(route.path);
  const given = segments(asked.path);
  return wanted.length === given.length && wanted.every((one, index) => one.startsWith(':') || one === given[index]);
}

/** The route that a path belongs to: one that is spelled out comes before one with a place for an id. */
export function routeOf<One extends Route>(routes: readonly One[], asked: Asked): One | undefined {
  const places = (route: Route) => segments(route.path).filter((one) => one.startsWith(':')).length;
  return routes.filter((route) => answersTo(route, asked)).sort((a, b) => places(a) - places(b))[0];
}

/** The routes that nobody went to. */
export function notWalked<One extends Route>(routes: readonly One[], walked: readonly Asked[]): One[] {
  const seen = new Set(walked.map((asked) => routeOf(routes, asked)));
  return routes.filter((route) => !seen.has(route));
}
