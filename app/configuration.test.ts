import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ConfigurationError, readConfiguration, secretVariables } from './configuration.ts';

const directory = mkdtempSync(join(tmpdir(), 'airtime-configuration-'));
afterAll(() => rmSync(directory, { recursive: true }));

const good: Readonly<Record<(typeof secretVariables)[number], string>> = {
  DATABASE_URL: 'postgres://server:hidden-word@db.example.com/airtime',
  MIGRATION_DATABASE_URL: 'postgres://owner:hidden-word@db.example.com/airtime',
  SANDBOX_SECRET: 'hidden-word-hidden-word',
  AIRTIME_STRIPE_SECRET_KEY: 'sk_test_hidden_word',
  AIRTIME_STRIPE_WEBHOOK_SECRET: 'whsec_hidden_word',
  AIRTIME_NETWORK_TOKEN: 'hidden-word-hidden-word',
  AIRTIME_SMTP_URL: 'smtps://user:hidden-word@mail.example.com',
  AIRTIME_SIGNING_SECRET: 'hidden-word-hidden-word-hidden-word',
  AIRTIME_MODEL_KEY: 'hidden-word-hidden-word',
};
const beside = {
  AIRTIME_MAIL_FROM: 'bss@example.com',
  AIRTIME_SANDBOX_URL: 'http://127.0.0.1:9',
  AIRTIME_MODEL_NAME: 'small',
  AIRTIME_MODEL_URL: 'http://127.0.0.1:9/v1',
};
/** What a secret is judged with: those of Stripe and of a network are looked at when these are chosen. */
const chosen = (name: string) =>
  name.startsWith('AIRTIME_STRIPE')
    ? { AIRTIME_CARD_GATEWAY: 'stripe', AIRTIME_STRIPE_SECRET_KEY: good.AIRTIME_STRIPE_SECRET_KEY }
    : name.startsWith('AIRTIME_NETWORK')
      ? { AIRTIME_NETWORK: 'tmf640', AIRTIME_NETWORK_URL: 'https://network.example.com/v4' }
      : {};

let files = 0;

function file(text: string): string {
  files += 1;
  const path = join(directory, `secret-${files}`);
  writeFileSync(path, text);
  return path;
}

test.each(secretVariables)('%s may lie in a file, and is judged as if it were given', (name) => {
  const rest = { ...beside, ...chosen(name), SANDBOX_SECRET: good.SANDBOX_SECRET, [name]: undefined };
  const direct = readConfiguration({ ...rest, [name]: good[name] });
  expect(readConfiguration({ ...rest, [`${name}_FILE`]: file(`${good[name]}\n`) })).toEqual(direct);
  const wrong: [Record<string, string>, string][] = [
    [{ [`${name}_FILE`]: file('hidden-word') }, name],
    [{ [`${name}_FILE`]: join(directory, 'none') }, `${name}_FILE`],
    [{ [`${name}_FILE`]: file(good[name]), [name]: good[name] }, name],
  ];
  for (const [given, named] of wrong) {
    let message = '';
    try {
      readConfiguration({ ...rest, ...given });
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigurationError);
      message = error instanceof Error ? error.message : '';
    }
    expect(message).toContain(named);
    expect(message).not.toContain('hidden-word');
  }
  expect(() => readConfiguration({ ...rest, [`${name}_FILE`]: file('\n') })).toThrow('empty');
});

test('a secret among the arguments is refused, and not repeated', () => {
  for (const args of [['serve', '--database', good.DATABASE_URL], [good.DATABASE_URL], ['token', 'air_hidden-word']]) {
    const ran = spawnSync(process.execPath, ['--import', 'tsx', 'app/main.ts', ...args], { encoding: 'utf8' });
    expect(ran.status).toBe(2);
    expect(ran.stderr).toContain('by environment or file');
    expect(ran.stdout + ran.stderr).not.toContain('hidden-word');
  }
});

test('limits have defaults, and 0 is none', () => {
  expect(readConfiguration({})).toMatchObject({
    requestsPerMinute: { operator: 300_000, integrator: 120_000, customer: 600 },
    failuresPerMinute: 600,
    trustedProxies: 0,
  });
  expect(readConfiguration({ AIRTIME_RATE_CUSTOMER: '0' }).requestsPerMinute.customer).toBe(0);
  expect(() => readConfiguration({ AIRTIME_RATE_CUSTOMER: '-1' })).toThrow('AIRTIME_RATE_CUSTOMER');
});
