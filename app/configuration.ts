import { readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { isAllowance } from '../adapters/callback-address.ts';
import { senderOf } from '../adapters/smtp-mail.ts';

/** What the environment decides. Every variable has a working default: `make start` sets none. */
export interface Configuration {
  /** Data of this installation: embedded database, sandbox books, log, the operator's token. */
  home: string;
  host: string;
  port: number;
  /** Where callers reach us; links are made from it. */
  publicUrl: string;
  databaseUrl: string | undefined;
  migrationDatabaseUrl: string | undefined;
  poolMax: number;
  statementTimeoutMs: number;
  /** A sandbox process of its own; inside this process when not given. */
  sandbox: { url: string; secret: string } | undefined;
  /** The TMF640 server that is the mobile network; the sandbox when not given. */
  network: { url: string; token: string | undefined } | undefined;
  /** The server that mail goes out by; the mailbox of development when not given. */
  smtp: { url: string; from: string } | undefined;
  /** Real cards, by Stripe; the sandbox when not given. */
  stripe:
    | {
        secretKey: string;
        /** What the card field of the pages is opened with; without it cards are put on file elsewhere. */
        publishableKey: string | undefined;
        webhookSecret: string | undefined;
        url: string | undefined;
        returnUrl: string | undefined;
      }
    | undefined;
  /** The language model of the assistant; the built-in one answers when not given. */
  model:
    | {
        provider: 'openai-compatible' | 'anthropic';
        url: string;
        name: string;
        key: string | undefined;
        inputRate: number;
        outputRate: number;
        turnMsMax: number;
      }
    | undefined;
  logLevel: string;
  /** Judge every answer by the contract. Off in production, where a defect must not become an outage. */
  validateResponses: boolean;
  worker: boolean;
  graceMs: number;
  /** How long a server that was told to stop goes on serving while it says that it is not ready. */
  drainMs: number;
  /** Addresses beside the public internet that events may be sent to: `loopback`, `private`, `link-local`, ranges. */
  callbackAllow: readonly string[];
  /** Requests that one token may make in a minute, by its audience; 0 is without limit. */
  requestsPerMinute: { operator: number; integrator: number; customer: number };
  /** Tries from one address that name nobody we know, in a minute; 0 is without limit. */
  failuresPerMinute: number;
  /** Proxies of ours in front of the server; so many entries of X-Forwarded-For are believed. */
  trustedProxies: number;
  /** What notifications are signed with; made and kept in `home` when not given. */
  signingSecret: string | undefined;
  /** Where traces are sent; nothing of them is loaded when not given. */
  traces: { endpoint: string; serviceName: string; share: number } | undefined;
}

const flag = z.enum(['0', '1', 'false', 'true']).transform((value) => value === '1' || value === 'true');

const perMinute = z.coerce.number().int().min(0).max(100_000_000);

const variables = z.object({
  AIRTIME_HOME: z.string().default('.airtime'),
  AIRTIME_HOST: z.string().default('127.0.0.1'),
  AIRTIME_PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  AIRTIME_PUBLIC_URL: z.url().optional(),
  DATABASE_URL: z.string().startsWith('postgres').optional(),
  MIGRATION_DATABASE_URL: z.string().startsWith('postgres').optional(),
  AIRTIME_POOL_MAX: z.coerce.number().int().min(2).max(1000).default(10),
  AIRTIME_STATEMENT_TIMEOUT_MS: z.coerce.number().int().min(100).max(600_000).default(5000),
  AIRTIME_SANDBOX_URL: z.url().optional(),
  SANDBOX_SECRET: z.string().min(16).optional(),
  AIRTIME_CARD_GATEWAY: z.enum(['sandbox', 'stripe']).default('sandbox'),
  AIRTIME_STRIPE_SECRET_KEY: z.string().optional(),
  AIRTIME_STRIPE_PUBLISHABLE_KEY: z
    .string()
    .regex(/^pk_(test|live)_\w+$/, 'give a key that begins with pk_')
    .optional(),
  AIRTIME_STRIPE_WEBHOOK_SECRET: z.string().optional(),
  AIRTIME_STRIPE_URL: z.url().optional(),
  AIRTIME_STRIPE_RETURN_URL: z.url().optional(),
  AIRTIME_NETWORK: z.enum(['sandbox', 'tmf640']).default('sandbox'),
  AIRTIME_NETWORK_URL: z.url({ protocol: /^https?$/ }).optional(),
  AIRTIME_NETWORK_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{16,}$/, 'give at least sixteen visible ASCII characters')
    .optional(),
  AIRTIME_SMTP_URL: z.string().optional(),
  AIRTIME_MAIL_FROM: z
    .string()
    .refine((from) => senderOf(from) !== undefined, 'give an address, or Name <address>')
    .optional(),
  AIRTIME_MODEL_PROVIDER: z.enum(['openai-compatible', 'anthropic']).default('openai-compatible'),
  AIRTIME_MODEL_URL: z.url({ protocol: /^https?$/ }).optional(),
  AIRTIME_MODEL_NAME: z.string().max(200).optional(),
  AIRTIME_MODEL_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{16,}$/, 'give at least sixteen visible ASCII characters, or none')
    .optional(),
  AIRTIME_MODEL_INPUT_RATE: z.coerce.number().int().min(0).max(1_000_000).default(300),
  AIRTIME_MODEL_OUTPUT_RATE: z.coerce.number().int().min(0).max(1_000_000).default(1500),
  AIRTIME_MODEL_TURN_MS: z.coerce.number().int().min(1000).max(150_000).default(60_000),
  AIRTIME_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  AIRTIME_VALIDATE_RESPONSES: flag.optional(),
  AIRTIME_WORKER: flag.default(true),
  AIRTIME_GRACE_MS: z.coerce.number().int().min(0).max(600_000).default(10_000),
  AIRTIME_DRAIN_MS: z.coerce.number().int().min(0).max(600_000).default(0),
  AIRTIME_CALLBACK_ALLOW: z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
    .refine((items) => items.every(isAllowance), 'give loopback, private, link-local or ranges such as 10.1.0.0/16'),
  AIRTIME_RATE_OPERATOR: perMinute.default(300_000),
  AIRTIME_RATE_INTEGRATOR: perMinute.default(120_000),
  AIRTIME_RATE_CUSTOMER: perMinute.default(600),
  AIRTIME_RATE_FAILED: perMinute.default(600),
  AIRTIME_TRUSTED_PROXIES: z.coerce.number().int().min(0).max(10).default(0),
  AIRTIME_SIGNING_SECRET: z.string().min(32).optional(),
  // The names that OpenTelemetry gives them, so that an operator's habits and tools hold.
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  OTEL_SERVICE_NAME: z.string().max(100).default('airtime'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  NODE_ENV: z.string().optional(),
});

export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

/** What must not be seen: each may lie in a file that `<name>_FILE` names, and none is ever an argument. */
export const secretVariables = [
  'DATABASE_URL',
  'MIGRATION_DATABASE_URL',
  'SANDBOX_SECRET',
  'AIRTIME_STRIPE_SECRET_KEY',
  'AIRTIME_STRIPE_WEBHOOK_SECRET',
  'AIRTIME_NETWORK_TOKEN',
  'AIRTIME_SMTP_URL',
  'AIRTIME_SIGNING_SECRET',
  'AIRTIME_MODEL_KEY',
] as const;

function withSecretFiles(given: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const found: Record<string, string | undefined> = { ...given };
  for (const name of secretVariables) {
    const path = given[`${name}_FILE`];
    if (path === undefined) continue;
    if (given[name] !== undefined) {
      throw new ConfigurationError(`${name}: it is set, and so is ${name}_FILE. Set one of them.`);
    }
    try {
      found[name] = readFileSync(path, 'utf8').trim();
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
      throw new ConfigurationError(`${name}_FILE: the file it names cannot be read (${why}).`);
    }
    if (found[name] === '') throw new ConfigurationError(`${name}_FILE: the file it names is empty.`);
  }
  return found;
}

export function readConfiguration(environment: NodeJS.ProcessEnv): Configuration {
  // An empty variable is one that was not set.
  const given = withSecretFiles(Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== '')));
  const parsed = variables.safeParse(given);
  if (!parsed.success) {
    throw new ConfigurationError(
      parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n'),
    );
  }
  const env = parsed.data;
  const secret = env.SANDBOX_SECRET;
  if (env.AIRTIME_SANDBOX_URL && !secret) {
    throw new ConfigurationError('AIRTIME_SANDBOX_URL: needs SANDBOX_SECRET or SANDBOX_SECRET_FILE beside it.');
  }
  if (env.AIRTIME_NETWORK === 'tmf640' && env.AIRTIME_NETWORK_URL === undefined)
    throw new ConfigurationError(
      'AIRTIME_NETWORK: tmf640 needs AIRTIME_NETWORK_URL, the base path of its API, beside it.',
    );
  const networkToken = env.AIRTIME_NETWORK_TOKEN;
  const smtpUrl = env.AIRTIME_SMTP_URL;
  // The URL holds a password: a message about it never repeats it.
  if (smtpUrl !== undefined && !/^smtps?:\/\/\S+$/.test(smtpUrl))
    throw new ConfigurationError('AIRTIME_SMTP_URL: give smtp://… or smtps://….');
  if (smtpUrl !== undefined && env.AIRTIME_MAIL_FROM === undefined)
    throw new ConfigurationError('AIRTIME_SMTP_URL: needs AIRTIME_MAIL_FROM beside it.');
  const host = env.AIRTIME_HOST.includes(':') ? `[${env.AIRTIME_HOST}]` : env.AIRTIME_HOST;
  return {
    home: isAbsolute(env.AIRTIME_HOME) ? env.AIRTIME_HOME : resolve(env.AIRTIME_HOME),
    host: env.AIRTIME_HOST,
    port: env.AIRTIME_PORT,
    publicUrl: (env.AIRTIME_PUBLIC_URL ?? `http://${host}:${env.AIRTIME_PORT}`).replace(/\/+$/, ''),
    databaseUrl: env.DATABASE_URL,
    migrationDatabaseUrl: env.MIGRATION_DATABASE_URL,
    poolMax: env.AIRTIME_POOL_MAX,
    statementTimeoutMs: env.AIRTIME_STATEMENT_TIMEOUT_MS,
    sandbox: env.AIRTIME_SANDBOX_URL && secret ? { url: env.AIRTIME_SANDBOX_URL, secret } : undefined,
    network:
      env.AIRTIME_NETWORK === 'tmf640' && env.AIRTIME_NETWORK_URL
        ? { url: env.AIRTIME_NETWORK_URL, token: networkToken }
        : undefined,
    smtp: smtpUrl && env.AIRTIME_MAIL_FROM ? { url: smtpUrl, from: env.AIRTIME_MAIL_FROM } : undefined,
    stripe: stripeOf(env),
    model: modelOf(env),
    logLevel: env.AIRTIME_LOG_LEVEL,
    validateResponses: env.AIRTIME_VALIDATE_RESPONSES ?? env.NODE_ENV !== 'production',
    worker: env.AIRTIME_WORKER,
    graceMs: env.AIRTIME_GRACE_MS,
    drainMs: env.AIRTIME_DRAIN_MS,
    callbackAllow: env.AIRTIME_CALLBACK_ALLOW,
    requestsPerMinute: {
      operator: env.AIRTIME_RATE_OPERATOR,
      integrator: env.AIRTIME_RATE_INTEGRATOR,
      customer: env.AIRTIME_RATE_CUSTOMER,
    },
    failuresPerMinute: env.AIRTIME_RATE_FAILED,
    trustedProxies: env.AIRTIME_TRUSTED_PROXIES,
    signingSecret: env.AIRTIME_SIGNING_SECRET,
    traces: env.OTEL_EXPORTER_OTLP_ENDPOINT
      ? {
          endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT,
          serviceName: env.OTEL_SERVICE_NAME,
          share: env.OTEL_TRACES_SAMPLER_ARG,
        }
      : undefined,
  };
}

const anthropicUrl = 'https://api.anthropic.com/v1';

function modelOf(env: z.output<typeof variables>): Configuration['model'] {
  const { AIRTIME_MODEL_PROVIDER: provider, AIRTIME_MODEL_NAME: name, AIRTIME_MODEL_KEY: key } = env;
  const url = env.AIRTIME_MODEL_URL ?? (provider === 'anthropic' ? anthropicUrl : undefined);
  if (name === undefined) {
    if (env.AIRTIME_MODEL_URL !== undefined || key !== undefined)
      throw new ConfigurationError('AIRTIME_MODEL_NAME: say which model the endpoint is to run.');
    return undefined;
  }
  if (url === undefined)
    throw new ConfigurationError(
      'AIRTIME_MODEL_URL: give the base path of the endpoint, such as http://127.0.0.1:11434/v1.',
    );
  if (provider === 'anthropic' && key === undefined)
    throw new ConfigurationError('AIRTIME_MODEL_KEY: anthropic needs a key, here or in AIRTIME_MODEL_KEY_FILE.');
  return {
    provider,
    url: url.replace(/\/+$/, ''),
    name,
    key,
    inputRate: env.AIRTIME_MODEL_INPUT_RATE,
    outputRate: env.AIRTIME_MODEL_OUTPUT_RATE,
    turnMsMax: env.AIRTIME_MODEL_TURN_MS,
  };
}

function stripeOf(env: z.output<typeof variables>): Configuration['stripe'] {
  if (env.AIRTIME_CARD_GATEWAY !== 'stripe') return undefined;
  const { AIRTIME_STRIPE_SECRET_KEY: secretKey, AIRTIME_STRIPE_WEBHOOK_SECRET: webhookSecret } = env;
  if (secretKey === undefined || !/^(sk|rk)_(test|live)_\w+$/.test(secretKey)) {
    throw new ConfigurationError(
      'AIRTIME_CARD_GATEWAY: stripe needs AIRTIME_STRIPE_SECRET_KEY or AIRTIME_STRIPE_SECRET_KEY_FILE, a key that begins with sk_ or rk_.',
    );
  }
  if (webhookSecret !== undefined && !/^whsec_\w+$/.test(webhookSecret)) {
    throw new ConfigurationError('AIRTIME_STRIPE_WEBHOOK_SECRET: give the signing secret of the endpoint, whsec_….');
  }
  return {
    secretKey,
    publishableKey: env.AIRTIME_STRIPE_PUBLISHABLE_KEY,
    webhookSecret,
    url: env.AIRTIME_STRIPE_URL,
    returnUrl: env.AIRTIME_STRIPE_RETURN_URL,
  };
}

export const paths = (home: string) => ({
  postgres: join(home, 'postgres'),
  sandbox: join(home, 'sandbox'),
  jobs: join(home, 'jobs'),
  signingSecret: join(home, 'signing-secret'),
  cli: join(home, 'cli.json'),
  log: join(home, 'server.log'),
  pid: join(home, 'server.pid'),
});
