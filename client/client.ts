import createFetchClient, { type ClientOptions, type FetchOptions, type FetchResponse } from 'openapi-fetch';
import { type Operations, routes } from '../generated/client.ts';

/** A client of every API of a server: `client.TMF622.createProductOrder({ body })`. Made from the contracts. */
export type Client = {
  readonly [Api in keyof Operations]: { readonly [Id in keyof Operations[Api]]: Call<Operations[Api][Id]> };
};

/**
 * One operation. It takes `params` (path, query, header) and `body` as its contract has them, and answers `data` or
 * `error`, which is the Error of TM Forum, and the `response` with its status and headers. It rejects only where no
 * answer came.
 */
export type Call<Operation> =
  IsOptional<Request<Operation>> extends true
    ? (request?: Request<Operation>) => Answer<Operation>
    : (request: Request<Operation>) => Answer<Operation>;

/** A list is filtered by any attribute, also by those inside others: `{ 'price.value.gt': 20 }`. */
export type Request<Operation> = FetchOptions<Operation> & Filtered<Operation>;

type Answer<Operation> =
  Operation extends Record<string, unknown> ? Promise<FetchResponse<Operation, object, 'application/json'>> : never;

type Filtered<Operation> = Operation extends { parameters: { query?: { offset?: number } } }
  ? { params?: { query?: { [attribute: string]: string | number | boolean | undefined } } }
  : unknown;

type IsOptional<T> = Partial<T> extends T ? true : false;

export interface Settings {
  /** Where the server is, without a trailing slash. */
  readonly url: string;
  /** Sent as `Authorization: Bearer`. */
  readonly token: string;
  /** In place of the global one: for a proxy, retries, or a test. */
  readonly fetch?: ClientOptions['fetch'];
}

/** What a call is before the types of its contract are put on it. */
interface Untyped {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}
type UntypedOperation = { parameters: { query?: Record<string, unknown> }; responses: Record<number, unknown> };
type UntypedPaths = Record<string, Record<'get' | 'post' | 'patch' | 'delete', UntypedOperation>>;

/** Makes the client. It sends nothing by itself. */
export function createClient({ url, token, fetch }: Settings): Client {
  const apis = Object.entries(routes).map(([api, { basePath, operations }]) => {
    const base = createFetchClient<UntypedPaths>({
      baseUrl: url + basePath,
      headers: { Authorization: `Bearer ${token}`, Accept: 'application/json' },
      ...(fetch ? { fetch } : {}),
    });
    const calls = Object.entries(operations).map(([id, { method, path }]) => {
      const call = (request: Untyped = {}) =>
        base.request(method, path, { ...request, headers: headersFor(method, request) });
      return [id, call];
    });
    return [api, Object.fromEntries(calls)];
  });
  const client: unknown = Object.fromEntries(apis);
  if (!isClient(client)) throw new Error('the routes are not whole');
  return client;
}

// The body of a patch says which kind it is: only a JSON patch is a list.
function headersFor(method: string, { body, headers }: Untyped): Readonly<Record<string, string>> {
  if (method !== 'patch') return headers ?? {};
  const type = Array.isArray(body) ? 'application/json-patch+json' : 'application/merge-patch+json';
  return { 'Content-Type': type, ...headers };
}

function isClient(made: unknown): made is Client {
  return typeof made === 'object' && made !== null && Object.keys(routes).every((api) => Object.hasOwn(made, api));
}
