import { apis, type Operation, operations } from '../../generated/operations.ts';

/** A path that the contract knows. */
export interface Place {
  /** As the contract spells it, with the API's first base path: `/tmf-api/troubleTicket/v4/troubleTicket/{id}`. */
  readonly template: string;
  readonly api: string;
  /** What is offered there, by method in lower case. */
  readonly operations: ReadonlyMap<string, Operation>;
  /** The methods a caller may use, for `Allow`. */
  readonly allow: string;
}

export interface Match {
  readonly place: Place;
  /** Decoded, its case kept. */
  readonly id: string | undefined;
}

interface Row {
  whole?: Place;
  withId?: Place;
}

const methodOrder = ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS'];

function allowOf(methods: Iterable<string>): string {
  const offered = new Set([...methods].map((method) => method.toUpperCase()));
  if (offered.has('GET')) offered.add('HEAD');
  offered.add('OPTIONS');
  return methodOrder.filter((method) => offered.has(method)).join(', ');
}

function placesOf(): Map<string, Row> {
  const rows = new Map<string, Row>();
  for (const { api, basePaths } of apis) {
    const served: readonly Operation[] = operations.filter((one) => one.api === api && one.served);
    for (const path of new Set(served.map((one) => one.path))) {
      const here = new Map(served.filter((one) => one.path === path).map((one) => [one.method, one] as const));
      const place: Place = { template: `${basePaths[0]}${path}`, api, operations: here, allow: allowOf(here.keys()) };
      const isItem = path.endsWith('/{id}');
      if (path.replace(/\/\{id\}$/, '').includes('{'))
        throw new Error(`${api} ${path} is not a path the matcher knows`);
      for (const basePath of basePaths) {
        const fixed = `${basePath}${path.replace(/\/\{id\}$/, '')}`.toLowerCase();
        const row = rows.get(fixed) ?? {};
        rows.set(fixed, isItem ? { ...row, withId: place } : { ...row, whole: place });
      }
    }
  }
  return rows;
}

const rows = placesOf();

/**
 * Finds what the contract has at a path, in one or two look-ups. Fixed segments are matched without regard to their
 * case, one trailing slash is allowed, an id is decoded and keeps its case.
 * @param path the path as it stands in the request line, without the query.
 * @returns undefined where the contract has nothing, and for an id whose percent encoding is broken.
 */
export function matchPath(path: string): Match | undefined {
  const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  const lower = trimmed.toLowerCase();
  const whole = rows.get(lower)?.whole;
  if (whole) return { place: whole, id: undefined };
  const cut = lower.lastIndexOf('/');
  const item = cut > 0 ? rows.get(lower.slice(0, cut))?.withId : undefined;
  if (!item) return undefined;
  const id = decoded(trimmed.slice(cut + 1));
  return id === undefined || id === '' ? undefined : { place: item, id };
}

/** Undefined for a broken encoding, and for a NUL, which no id of ours has and the database cannot even be asked for. */
function decoded(segment: string): string | undefined {
  try {
    const text = decodeURIComponent(segment);
    return text.includes('\u0000') ? undefined : text;
  } catch {
    return undefined;
  }
}
