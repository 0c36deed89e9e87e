import { resources } from '../generated/operations.ts';
import { isJsonObject } from '../kernel/json.ts';
import { closingChecks, doorChecks } from './checks/doors.ts';
import { filteringChecks } from './checks/filtering.ts';
import { eventChecks, hubChecks, observerOf, registered } from './checks/hubs.ts';
import { readingChecks } from './checks/reading.ts';
import { writingChecks } from './checks/writing.ts';
import { type Client, makeClient, textOf } from './client.ts';
import { Failure } from './documents.ts';
import { readLedger } from './ledger.ts';
import { type Listener, startListener } from './listener.ts';
import type { RequirementId } from './requirements.ts';
import { type Check, openResource, type ResourceDoor, type Row, rowsOf, type Suite, subjectsOf } from './suite.ts';
import { makeWorld, type World } from './world.ts';

/** What became of a row. */
export interface Finding {
  readonly row: Row;
  readonly outcome: 'proved' | 'failed' | 'notApplicable' | 'uncited';
  readonly detail: string;
}

/** The order of the APIs: those that the many lines of the main job do not touch come while these are being sold. */
export const apiOrder = [
  'TMF620',
  'TMF621',
  'TMF635',
  'TMF670',
  'TMF629',
  'TMF683',
  'TMF638',
  'TMF640',
  'TMF641',
  'TMF678',
  'TMF676',
  'TMF622',
  'TMF654',
  'TMF677',
  'TMF637',
] as const;
const beforeLines = new Set<string>(['TMF620', 'TMF621', 'TMF635', 'TMF670']);

/** Reading before writing, so that lists are at rest; what looks back at the whole run comes last. */
const orderedChecks: readonly Check[] = [
  ...readingChecks,
  ...filteringChecks,
  ...writingChecks,
  ...hubChecks,
  ...doorChecks,
];
export const allChecks: readonly Check[] = [...orderedChecks, ...eventChecks, ...closingChecks];

export interface Session {
  readonly suite: Suite;
  readonly client: Client;
  /** The rows of an API, of reading, writing, doors; with `stopAtFirst` only up to the first failure. */
  proveApi(api: string, options?: { stopAtFirst?: boolean }): Promise<Finding[]>;
  /** The rows of an API that wait for events. */
  proveEvents(api: string, options?: { stopAtFirst?: boolean }): Promise<Finding[]>;
  /** The rows that look back at the whole run. */
  proveClosing(api: string): Promise<Finding[]>;
  close(): void;
}

async function tokenWith(client: Client, name: string, scopes: string[]): Promise<string> {
  const made = await client.tool('token.create', { name, audience: 'integrator', scopes });
  return textOf(isJsonObject(made) ? made.token : undefined, 'the token');
}

export interface SessionOptions {
  url: string;
  token: string;
  publicUrl: string;
  size: 'whole' | 'quick';
  apis: readonly string[];
  /** Where the server itself listens, when a proxy stands before it. */
  directUrl?: string;
  arrivalMsMax?: number;
  /** Given where several sessions share one. */
  listener?: Listener;
  world?: World;
}

/** Opens the suite on a server that runs: the main job, a listener, one hub for each API. */
export async function openSession(options: SessionOptions): Promise<Session> {
  const client = makeClient(options);
  const listener = options.listener ?? (await startListener());
  try {
    const tokens = new Map<string, Promise<string>>();
    const doors: ResourceDoor[] = resources.map((table) => openResource(() => suite, table));
    const otherToken = await tokenWith(client, 'another caller', ['tmf:*']);
    for (const api of options.apis) await registered({ client, listener }, api, observerOf(api));
    const world = options.world ?? (await makeWorld(client, options.size));
    const suite: Suite = {
      client,
      world,
      listener,
      doors,
      serverUrl: options.directUrl ?? options.url,
      size: options.size,
      arrivalMsMax: options.arrivalMsMax ?? 20_000,
      silent: new Set(),
      otherToken,
      tokenFor: (api) => {
        const known = tokens.get(api) ?? tokenWith(client, `only ${api}`, [`tmf:${api}`]);
        tokens.set(api, known);
        return known;
      },
    };
    return {
      suite,
      client,
      proveApi: async (api, { stopAtFirst = false } = {}) => {
        if (!beforeLines.has(api)) await world.settled();
        return prove(suite, api, orderedChecks, stopAtFirst);
      },
      proveEvents: (api, { stopAtFirst = false } = {}) => prove(suite, api, eventChecks, stopAtFirst),
      proveClosing: (api) => prove(suite, api, closingChecks, false),
      close: () => {
        client.close();
        if (!options.listener) listener.stop();
      },
    };
  } catch (error) {
    client.close();
    if (!options.listener) listener.stop();
    throw error;
  }
}

async function prove(suite: Suite, api: string, checks: readonly Check[], stopAtFirst: boolean): Promise<Finding[]> {
  const rows = rowsOf(subjectsOf(api, suite.doors));
  const findings: Finding[] = [];
  const known = readLedger();
  const names = [...new Set(rows.map(({ subject }) => subject.name))];
  // One resource after the other, because each list must be at rest while it is read.
  for (const name of names) {
    for (const check of checks) {
      const cited = rows.filter(
        ({ subject, requirement }) => subject.name === name && check.proves.includes(requirement.id),
      );
      const subjects = [...new Set(cited.map(({ subject }) => subject))];
      for (const subject of subjects) {
        const { outcome, detail } = await verdictOf(() => check.run(suite, subject));
        findings.push(...cited.filter((row) => row.subject === subject).map((row) => ({ row, outcome, detail })));
        if (outcome === 'failed' && stopAtFirst && cited.some((row) => row.subject === subject && !known.has(row.id)))
          return findings;
      }
    }
  }
  return findings;
}

async function verdictOf(run: () => ReturnType<Check['run']>): Promise<Pick<Finding, 'outcome' | 'detail'>> {
  try {
    const reason = await run();
    return typeof reason === 'string'
      ? { outcome: 'notApplicable', detail: reason }
      : { outcome: 'proved', detail: '' };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { outcome: 'failed', detail: error instanceof Failure ? detail : `the check broke: ${detail}` };
  }
}

/** The lines that no check cites. */
export function uncited(ids: readonly RequirementId[], checks: readonly Check[] = allChecks): RequirementId[] {
  const cited = new Set(checks.flatMap(({ proves }) => proves));
  return ids.filter((id) => !cited.has(id));
}
