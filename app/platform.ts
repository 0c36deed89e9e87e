import { randomFillSync, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { Counter, Registry } from 'prom-client';
import { z } from 'zod';
import type { CallbackRequest } from '../adapters/callback.ts';
import type { CardGateway, GatewayDoor } from '../adapters/card-gateway.ts';
import { localJobFiles } from '../adapters/local-job-files.ts';
import type { Mail } from '../adapters/mail.ts';
import type { Network } from '../adapters/network.ts';
import {
  openSandboxCardGateway,
  type SandboxCardGateway,
} from '../adapters/sandbox/card-gateway/sandbox-card-gateway.ts';
import { openMailbox } from '../adapters/sandbox/mail/mailbox.ts';
import { openSandboxNetwork } from '../adapters/sandbox/network/sandbox-network.ts';
import { remoteCardGateway, remoteMailbox, remoteNetwork } from '../adapters/sandbox/remote.ts';
import { openSmtpMail } from '../adapters/smtp-mail.ts';
import { openTmf640Network } from '../adapters/tmf640-network/tmf640-network.ts';
import { createHandlers } from '../handlers/index.ts';
import type { Wire } from '../handlers/wire.ts';
import { type Caller, systemCaller } from '../kernel/caller.ts';
import type { MachineClock } from '../kernel/clock.ts';
import type { AirtimeError } from '../kernel/error.ts';
import { idSource } from '../kernel/id.ts';
import { recordOwnershipTrip } from '../policy/audit/commands.ts';
import { catalogueJobSteps } from '../policy/catalogue/jobs.ts';
import { commands } from '../policy/commands.ts';
import { execute, type Policy } from '../policy/core/command.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { createAccessToken } from '../policy/identity/access-token.ts';
import { authenticator } from '../policy/identity/authenticate.ts';
import { recordContact } from '../policy/interaction/contact.ts';
import { activationCommandsFor, resourceCommandsFor } from '../policy/resources.ts';
import { codeSteps } from '../policy/session/letters.ts';
import { readSettings } from '../policy/setting/settings.ts';
import { steps } from '../policy/steps.ts';
import { docsPages } from '../surfaces/docs/docs.ts';
import type { Rates } from '../surfaces/http/authorise.ts';
import { documentPages } from '../surfaces/http/documents.ts';
import { createHttpServer } from '../surfaces/http/server.ts';
import { webhookDoor } from '../surfaces/http/webhooks.ts';
import { queriesFor } from '../tools/queries.ts';
import { makeTools, type OwnershipTrip, type ToolDoor } from '../tools/registry.ts';
import { makeRateLimiter } from '../workers/rate-limiter.ts';
import { makeRefusalRecorder } from '../workers/refusal-recorder.ts';
import { makeWatchdog } from '../workers/watchdog.ts';
import { makeWorker } from '../workers/worker.ts';
import { agentPages } from './agents.ts';
import { gatewayWebhook, openChosenGateway, refuseMovedClock } from './card-gateway.ts';
import { assistantOf, type ChatPagesParts, chatPages } from './chat.ts';
import { type Configuration, paths } from './configuration.ts';
import { connect } from './database/connect.ts';
import { startDatabase } from './database/start.ts';
import { bindExtras } from './extra-tools.ts';
import { measureDatabase, measureWork } from './measures.ts';
import { makeNotifications, openCallbacks, signingSecretOf } from './notifications.ts';
import { mountPortal, portalLimit } from './portal.ts';
import { seed } from './seed/seed.ts';
import { openTelemetry, watched } from './telemetry.ts';

export interface Platform {
  readonly url: string;
  readonly policy: Policy;
  readonly wire: Wire;
  readonly tools: ToolDoor;
  readonly gateway: CardGateway;
  readonly network: Network;
  /** The operator's token, when this start made it. */
  readonly firstToken: string | undefined;
  stop(): Promise<void>;
}

export const machineClock: MachineClock = {
  now: () => new Date(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      signal?.addEventListener('abort', end, { once: true });
    }),
};

// 32 random bits are as fine as the source of ids needs for one base-32 character at a time. They are fetched by the
// page: a charged record has two ids of sixteen such characters.
const randomPage = Buffer.alloc(4096);
let randomUsed = randomPage.length;
const secureRandom = () => {
  if (randomUsed === randomPage.length) {
    randomFillSync(randomPage);
    randomUsed = 0;
  }
  const value = randomPage.readUInt32BE(randomUsed) / 2 ** 32;
  randomUsed += 4;
  return value;
};

/** Beside the sources, or beside the compiled program. */
function migrationsDirectory(): string {
  for (const candidate of ['../prisma/migrations', '../../prisma/migrations']) {
    const path = fileURLToPath(new URL(candidate, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new Error('prisma/migrations is missing: this installation is not whole');
}

/** Brings the whole house up: database, outside, policy, workers, doors. In that order, and down in the other. */
export async function startPlatform(
  configuration: Configuration,
  log: Logger,
  options: { historyDays?: number; rulesOff?: readonly string[] } = {},
): Promise<Platform> {
  const place = paths(configuration.home);
  mkdirSync(configuration.home, { recursive: true, mode: 0o700 });
  const closing: (() => Promise<void>)[] = [];
  const closeAll = async () => {
    for (const close of closing.reverse())
      await close().catch((error) => log.error({ err: error }, 'could not close cleanly'));
  };
  try {
    const database = await startDatabase({
      databaseUrl: configuration.databaseUrl,
      migrationUrl: configuration.migrationDatabaseUrl,
      directory: place.postgres,
      migrations: migrationsDirectory(),
      log: (message) => log.info(message),
    });
    closing.push(() => database.stop());
    const connected = await connect({
      url: database.serverUrl,
      max: configuration.poolMax,
      statementTimeoutMs: configuration.statementTimeoutMs,
      log: (message) => log.warn(message),
    });
    closing.push(() => connected.close());

    const metrics = new Registry();
    measureDatabase(metrics, connected.pool, () => performance.now());
    const telemetry = configuration.traces && (await openTelemetry({ ...configuration.traces, log }));
    if (telemetry) {
      closing.push(() => telemetry.stop());
      connected.pool.on('connect', telemetry.connection);
    }
    const measures = measureWork(metrics);
    const watch = telemetry?.around(measures) ?? measures;

    const { callbacks: openedCallbacks, subscriptions } = openCallbacks(configuration.callbackAllow);
    const callbacks = watched(
      watch,
      'callback',
      {
        ...openedCallbacks,
        post: (request: CallbackRequest) =>
          openedCallbacks.post({ ...request, headers: { ...request.headers, ...telemetry?.headers() } }),
      },
      ['post'],
    );
    const outside: OpenOutside & Policy['outside'] = {
      ...(await openOutside(configuration, place.sandbox)),
      subscriptions,
    };
    closing.push(outside.close);

    const policy: Policy = {
      pool: connected.pool,
      newId: idSource(Date.now, secureRandom),
      settings: await readSettings(connected.pool),
      rulesOff: new Set(options.rulesOff ?? []),
      recordContact,
      watch,
      outside: {
        ...outside,
        gateway: watched(watch, 'cards', outside.gateway, gatewayCalls),
        network: watched(watch, 'network', outside.network, ['apply', 'find', 'line']),
        mail: watched(watch, 'mail', outside.mail, ['send']),
      },
    };
    await refuseMovedClock(policy);
    // A story of the past is told with the sandboxes only: real cards and a real network live today.
    const isSandboxed = outside.gateway.kind === 'sandbox' && outside.network.kind === 'sandbox';
    const firstToken = await seed(
      policy,
      options.historyDays === undefined || !isSandboxed ? {} : { historyDays: options.historyDays },
    );

    const jobs = catalogueJobSteps({ files: localJobFiles(place.jobs), publicUrl: configuration.publicUrl });
    const worker = makeWorker(policy, [...steps, ...jobs, ...codeSteps(configuration.publicUrl)], machineClock, log);
    if (configuration.worker) worker.start();
    closing.push(() => worker.stop());
    const signingSecret = signingSecretOf(configuration.signingSecret, place.signingSecret);
    const notifications = makeNotifications({
      policy,
      callbacks,
      clock: machineClock,
      log,
      publicUrl: configuration.publicUrl,
      signingSecret,
    });
    if (configuration.worker) notifications.start();
    closing.push(() => notifications.stop());
    const watchdog = makeWatchdog({ pool: connected.pool, clock: machineClock, log, metrics });
    if (configuration.worker) watchdog.start();
    closing.push(() => watchdog.stop());
    const wake = () => {
      worker.wake();
      notifications.wake();
    };

    // They outlive the doors, which close first: what was refused at the last moment is still written down.
    const refusals = makeRefusalRecorder(policy, machineClock, log);
    refusals.start();
    closing.push(() => refusals.stop());
    const limiter = makeRateLimiter(policy, machineClock, log);
    limiter.start();
    closing.push(() => limiter.stop());
    const trips = new Counter({
      name: 'airtime_ownership_trips_total',
      help: 'Answers to a customer that named another customer, and were withheld.',
      registers: [metrics],
    });

    const refusedTool = ({ tool, caller, error }: { tool: string; caller: Caller; error: AirtimeError }) =>
      refusals.record({
        door: caller.surface,
        operation: tool,
        status: error.status,
        code: error.reason,
        caller,
        address: undefined,
        requestId: caller.requestId ?? '',
      });
    const tripped = async ({ tool, caller, foreignCustomerId }: OwnershipTrip): Promise<void> => {
      trips.inc();
      log.error({ tool, callerId: caller.id }, 'an answer to a customer named another customer');
      const trip = { tool, customerId: caller.customerId ?? '', foreignCustomerId };
      await execute(policy, recordOwnershipTrip, trip, systemCaller('ownership'));
    };
    // Known when the door is open; nothing is called before.
    let pages = configuration.publicUrl;
    const tools = makeTools({
      policy,
      pool: connected.pool,
      commands,
      onOwnershipTrip: tripped,
      onRefused: refusedTool,
      // What a caller does may leave work behind; it is not kept waiting for the next round.
      onWritten: wake,
      queries: queriesFor(commands),
      extra: bindExtras({
        policy,
        worker,
        clock: machineClock,
        gateway: outside.sandboxGateway,
        network: outside.network,
        signingSecret,
        mail: outside.mail,
        get publicUrl() {
          return pages;
        },
      }),
    });
    const wire: Wire = { policy, pool: connected.pool, publicUrl: configuration.publicUrl, wake };
    const authenticate = authenticator({ pool: connected.pool, clock: machineClock });
    const { requestsPerMinute, failuresPerMinute, trustedProxies } = configuration;
    const rates: Rates = {
      ofCaller: ({ id, audience }) =>
        audience === 'system' ? undefined : limiter.take(`token ${id}`, requestsPerMinute[audience]),
      ofFailure: (address) => limiter.take(`address ${address}`, failuresPerMinute),
      trustedProxies,
    };
    const http = await createHttpServer({
      wire,
      handlers: createHandlers(resourceCommandsFor, activationCommandsFor),
      tools,
      authenticate,
      rates,
      onRefused: (refused) => refusals.record(refused),
      log,
      validateResponses: configuration.validateResponses,
      ready: async () => {
        const database = await takesWrites(connected.pool);
        return { ok: database, checks: { database, migrations: true } };
      },
      metrics,
      trace: telemetry?.request,
    });
    http.mount('/documents', documentPages({ pool: connected.pool, authenticate, rates }));
    if (outside.door) http.mount('/webhooks', webhookDoor(gatewayWebhook({ policy, door: outside.door, log, wake })));
    http.mount(
      '/mcp',
      agentPages({
        tools,
        rulesOff: policy.rulesOff,
        authenticate,
        rates,
        publicUrl: configuration.publicUrl,
        log,
        onRefused: refusedTool,
      }),
    );
    const chat: ChatPagesParts = {
      tools,
      policy,
      model: configuration.model,
      authenticate,
      rates,
      clock: machineClock,
      log,
      metrics,
      onAttempt: (caller, { tool, status, code }) =>
        refusals.record({
          door: 'chat',
          operation: tool,
          status,
          code,
          caller,
          address: undefined,
          requestId: caller.requestId ?? '',
        }),
      onForeign: (caller, foreignCustomerId) => tripped({ tool: 'chat', caller, foreignCustomerId }),
    };
    const assistant = assistantOf(chat);
    http.mount('/chat', chatPages(chat, assistant));
    mountPortal(http, {
      policy,
      tools,
      assistant,
      stripe: configuration.stripe,
      publicUrl: configuration.publicUrl,
      trustedProxies,
      limit: portalLimit((who, perMinute) => limiter.take(who, perMinute), { requestsPerMinute, failuresPerMinute }),
      log,
      wake,
    });
    const docs = docsPages();
    if (docs) http.mount('/docs', docs);
    const address: AddressInfo = await http.listen(configuration.host, configuration.port);
    closing.push(() => http.close(configuration.graceMs, configuration.drainMs));
    const url = `http://${configuration.host.includes(':') ? `[${configuration.host}]` : configuration.host}:${address.port}`;
    pages = listenedUrl(pages, address.port);
    if (firstToken !== undefined) keepToken(place.cli, url, firstToken);
    else keepAddress(place.cli, url);
    return { url, policy, wire, tools, gateway: outside.gateway, network: outside.network, firstToken, stop: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** What a card gateway is asked; its whole book is read by one who compares, and is no call. */
const gatewayCalls = ['describeCard', 'authorise', 'capture', 'void', 'refund', 'find', 'operations'] as const;

/** A replica answers too, and a database that is cut off does not answer at all: whoever asks will not wait for long. */
async function takesWrites(pool: Pool): Promise<boolean> {
  const asked = runStatement<{ writes: boolean }>(pool, 'SELECT NOT pg_is_in_recovery() AS writes', []).then(
    ([row]) => row?.writes ?? false,
    () => false,
  );
  const patience = new AbortController();
  const late = machineClock.sleep(readyMsMax, patience.signal).then(() => false);
  return Promise.race([asked, late]).finally(() => patience.abort());
}

const readyMsMax = 2000;

interface OpenOutside {
  gateway: CardGateway;
  /** The gateway again, while it is the sandbox: it has more to it. */
  sandboxGateway: SandboxCardGateway | undefined;
  /** Where the gateway gives notice. */
  door: GatewayDoor | undefined;
  network: Network;
  mail: Mail;
  close(): Promise<void>;
}

async function openOutside(configuration: Configuration, directory: string): Promise<OpenOutside> {
  const chosen = await openChosenGateway(configuration, machineClock);
  const sandboxes = await openSandboxes(configuration, directory, chosen === undefined);
  const outside = {
    ...sandboxes,
    gateway: chosen?.gateway ?? openedSandbox(sandboxes.sandboxGateway),
    door: chosen?.door,
  };
  const network =
    configuration.network &&
    openTmf640Network({
      url: configuration.network.url,
      ...(configuration.network.token === undefined ? {} : { token: configuration.network.token }),
      now: machineClock.now,
    });
  const smtp = configuration.smtp && (await openSmtpMail(configuration.smtp));
  return {
    ...outside,
    ...(network ? { network } : {}),
    ...(smtp ? { mail: smtp } : {}),
    close: async () => {
      smtp?.close();
      await sandboxes.close();
    },
  };
}

function openedSandbox(gateway: SandboxCardGateway | undefined): CardGateway {
  if (gateway === undefined) throw new Error('no card gateway was opened');
  return gateway;
}

async function openSandboxes(
  configuration: Configuration,
  directory: string,
  withCards: boolean,
): Promise<Omit<OpenOutside, 'gateway' | 'door'>> {
  if (configuration.sandbox) {
    const { url, secret } = configuration.sandbox;
    return {
      sandboxGateway: withCards ? remoteCardGateway(url, secret) : undefined,
      network: remoteNetwork(url, secret),
      mail: remoteMailbox(url, secret),
      close: async () => undefined,
    };
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const options = { directory, now: machineClock.now, id: randomUUID };
  const sandboxGateway = withCards ? await openSandboxCardGateway(options) : undefined;
  const network = await openSandboxNetwork(options);
  const mail = await openMailbox({ directory, now: machineClock.now });
  return {
    sandboxGateway,
    network,
    mail,
    close: async () => {
      await sandboxGateway?.close();
      await network.close();
      await mail.close();
    },
  };
}

/** Port 0 stands for whichever was free: a link names the one that is listened on. */
export const listenedUrl = (publicUrl: string, port: number): string => publicUrl.replace(/:0$/, `:${port}`);

/** Where `bss` finds the server and its token. Readable by the owner of the installation only. */
export function keepToken(file: string, url: string, token: string): void {
  // Written beside it and put in its place at once: who is killed in the middle leaves the file that was.
  // Two that write at once write two.
  const beside = `${file}.${randomUUID()}`;
  try {
    writeFileSync(beside, `${JSON.stringify({ url, token }, null, 2)}\n`, { mode: 0o600 });
    renameSync(beside, file);
  } finally {
    rmSync(beside, { force: true });
  }
}

/** Where the server listens now, for a terminal that knew it elsewhere. A file that holds no token is nobody's to mend. */
function keepAddress(file: string, url: string): void {
  const known = z.object({ url: z.string(), token: z.string() }).safeParse(jsonOf(file));
  if (known.success && known.data.url !== url) keepToken(file, url, known.data.token);
}

function jsonOf(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** A new operator's token, for whoever holds the machine and lost theirs. Works on the database alone. */
export async function mintOperatorToken(configuration: Configuration, log: Logger): Promise<string> {
  const place = paths(configuration.home);
  const database = await startDatabase({
    databaseUrl: configuration.databaseUrl,
    migrationUrl: configuration.migrationDatabaseUrl,
    directory: place.postgres,
    migrations: migrationsDirectory(),
    log: (message) => log.info(message),
  });
  try {
    const connected = await connect({
      url: database.serverUrl,
      max: 2,
      statementTimeoutMs: configuration.statementTimeoutMs,
      log: (message) => log.warn(message),
    });
    try {
      const outside = nothingOutside();
      const policy: Policy = {
        pool: connected.pool,
        newId: idSource(Date.now, secureRandom),
        settings: await readSettings(connected.pool),
        rulesOff: new Set(),
        recordContact,
        outside,
      };
      const { token } = await execute(
        policy,
        createAccessToken,
        { name: 'operator', audience: 'operator', scopes: ['*'] },
        { ...systemCaller('start'), surface: 'start' },
      );
      keepToken(place.cli, configuration.publicUrl, token);
      return token;
    } finally {
      await connected.close();
    }
  } finally {
    await database.stop();
  }
}

/** For a command that asks nobody: whoever calls it all the same has made a mistake. */
function nothingOutside(): Policy['outside'] {
  const never = (): never => {
    throw new Error('this program opened no outside');
  };
  return {
    gateway: {
      kind: 'sandbox',
      describeCard: never,
      authorise: never,
      capture: never,
      void: never,
      refund: never,
      find: never,
      operations: never,
      book: never,
    },
    network: { kind: 'sandbox', apply: never, find: never, line: never },
    mail: { kind: 'mailbox', send: never },
    subscriptions: { callbackRefusal: never, checkQuery: never },
  };
}
