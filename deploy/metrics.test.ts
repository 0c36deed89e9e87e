import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { readConfiguration } from '../app/configuration.ts';
import { type TestDatabase, testDatabase } from '../app/database/testing.ts';
import { type Platform, startPlatform } from '../app/platform.ts';
import { activeLine, type Door, type Line, tool } from './load.ts';
import { freePort, pause, root } from './processes.ts';
import { openProxy } from './upgrade/proxy.ts';

const read = (name: string): string => readFileSync(join(root, 'deploy', name), 'utf8');
const rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(['page', 'ticket']) }),
          annotations: z.object({ summary: z.string(), action: z.string() }),
        }),
      ),
    }),
  ),
});
const alerts = rules.parse(parse(read('alerts.yml'))).groups.flatMap((group) => group.rules);
const histories = z
  .looseObject({
    tests: z.array(
      z.looseObject({
        alert_rule_test: z.array(
          z.object({
            alertname: z.string(),
            eval_time: z.string(),
            exp_alerts: z.array(z.looseObject({ exp_labels: z.record(z.string(), z.string()) })),
          }),
        ),
      }),
    ),
  })
  .parse(parse(read('alerts.test.yml')))
  .tests.flatMap((played) => played.alert_rule_test);
const panel = z.looseObject({
  id: z.number(),
  type: z.enum(['row', 'stat', 'timeseries']),
  title: z.string(),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  targets: z.array(z.looseObject({ refId: z.string(), expr: z.string() })).default([]),
});
const dashboard = z.looseObject({ uid: z.string(), panels: z.array(panel) }).parse(JSON.parse(read('dashboard.json')));
const drawn = dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
const asked = [...alerts.map(({ alert, expr }) => ({ title: alert, expr })), ...drawn];

/** The series that an expression names: `airtime_lines{state="x"}` as its name and what its labels must be. */
function selectorsIn(expr: string): { name: string; labels: { label: string; operator: string; value: string }[] }[] {
  return [...expr.matchAll(/\b((?:airtime|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)].map(([, name = '', inner = '']) => ({
    name,
    labels: [...inner.matchAll(/(\w+)\s*(=~|!=|=)\s*"([^"]*)"/g)].map(([, label = '', operator = '', value = '']) => ({
      label,
      operator,
      value,
    })),
  }));
}

const promtool = process.env.PROMTOOL ?? 'promtool';
const prometheus = process.env.PROMETHEUS ?? 'prometheus';
const where = (program: string) => (spawnSync(program, ['--version']).status === 0 ? it : it.skip);
const withPromtool = where(promtool);
const withPrometheus = where(prometheus);

let database: TestDatabase;
let home: string;
let platform: Platform;
let text: string;

const scrape = async (): Promise<string> => (await fetch(`${platform.url}/metrics`)).text();
const figureOf = (series: string): number => {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  if (line === undefined) throw new Error(`there is no ${series}`);
  return Number(line.slice(series.length + 1));
};

beforeAll(async () => {
  database = await testDatabase();
  home = mkdtempSync(join(tmpdir(), 'airtime-metrics-'));
  const configuration = readConfiguration({
    AIRTIME_HOME: home,
    AIRTIME_PORT: '0',
    DATABASE_URL: database.serverUrl,
    MIGRATION_DATABASE_URL: database.ownerUrl,
    // A machine that runs tests beside each other may think for longer than one that serves.
    AIRTIME_STATEMENT_TIMEOUT_MS: '60000',
  });
  platform = await startPlatform(configuration, pino({ level: 'silent' }));
  // A little of all that the house does.
  const door: Door = { url: platform.url, token: platform.firstToken ?? '' };
  const line: Line = await activeLine(door);
  const record = { msisdn: line.msisdn, kind: 'data', amount: 1, unit: 'MB', source: 'here', recordId: 'one' };
  await tool(door, 'usage.record', record);
  await tool(door, 'usage.record', record);
  await fetch(`${platform.url}/tools/order.place`, {
    method: 'POST',
    headers: { authorization: `Bearer ${door.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ customerId: line.customer, offering: 'NO_SUCH' }),
  });
  await fetch(`${platform.url}/health`);
  for (const deadline = Date.now() + 15_000; Date.now() < deadline; await pause(200)) {
    text = await scrape();
    if (/airtime_outside_calls_total\{call="network\.apply"/.test(text) && /airtime_numbers_available \d/.test(text))
      break;
  }
});
afterAll(async () => {
  await platform?.stop();
  await database?.drop();
  rmSync(home, { recursive: true, force: true });
});

describe('what /metrics tells', () => {
  it('has every series that the dashboard draws and the alerts judge, with the labels that they name', () => {
    const missing: string[] = [];
    const known = new Map<string, Set<string>>();
    const types = new Map([...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', type = '']) => [name, type]));
    for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)(?:\{([^}]*)\})? /gm)) {
      const found = known.get(name) ?? new Set();
      for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) found.add(label);
      known.set(name, found);
    }
    for (const { title, expr } of asked) {
      const selectors = selectorsIn(expr);
      if (selectors.length === 0 && !/\bup\{/.test(expr)) missing.push(`${title}: it names no metric`);
      for (const { name, labels } of selectors) {
        // What has a label and did not happen in this test has a type, and no series.
        const base = name.replace(/_(?:bucket|count|sum)$/, '');
        const isThere = types.has(name) || (types.get(base) === 'histogram' && base !== name);
        if (!isThere) missing.push(`${title}: ${name}`);
        const own = known.get(name);
        for (const { label } of labels)
          if (label !== 'job' && own !== undefined && own.size > 0 && !own.has(label))
            missing.push(`${title}: ${name} has no label ${label}`);
      }
      for (const [, grouped = ''] of expr.matchAll(/\bby\s*\(([^)]*)\)/g))
        for (const label of grouped.split(',').map((one) => one.trim())) {
          const of = selectors.flatMap(({ name }) => [...(known.get(name) ?? [])]);
          const isEmpty = selectors.every(({ name }) => (known.get(name)?.size ?? 0) === 0);
          if (!isEmpty && label !== 'instance' && !of.includes(label))
            missing.push(`${title}: nothing has a label ${label}`);
        }
    }
    expect(missing).toEqual([]);
  });

  it('counts what was done here, by what became of it', () => {
    expect(figureOf('airtime_usage_records_total{outcome="rated"}')).toBe(1);
    expect(figureOf('airtime_usage_records_total{outcome="repeated"}')).toBe(1);
    expect(figureOf('airtime_outside_calls_total{call="cards.authorise",outcome="authorised"}')).toBe(1);
    expect(figureOf('airtime_outside_calls_total{call="cards.capture",outcome="captured"}')).toBe(1);
    // Provisioned first; whether it is enabled already is a matter of when this was asked.
    expect(figureOf('airtime_outside_calls_total{call="network.apply",outcome="confirmed"}')).toBeGreaterThan(0);
    expect(figureOf('airtime_commands_total{command="customer.create",outcome="ok"}')).toBe(1);
    expect(figureOf('airtime_database_reachable')).toBe(1);
    expect(figureOf('airtime_database_bytes')).toBeGreaterThan(1e6);
    expect(text).toMatch(/^airtime_payments_last_day\{state="\w+"\} 1$/m);
    expect(text).toMatch(/^airtime_steps_total\{step="network\.\w+",outcome="ok"\} [1-9]/m);
    expect(figureOf('airtime_renewals_total{outcome="renewed"}')).toBe(0);
  });

  it('names nobody: no id, number, address or name is in a label', () => {
    expect(text).not.toMatch(/\b(?:cus|sub|ord|pay|usg|stp|evt|svc)_[0-9a-z]{10,}/i);
    expect(text).not.toMatch(/example\.com|Ada|\b65\d{8}\b/);
  });
});

describe('prometheus.yml (two tests are skipped where promtool and prometheus are not in the PATH or named by PROMTOOL and PROMETHEUS)', () => {
  const sample = z.looseObject({
    scrape_configs: z.tuple([
      z.looseObject({
        job_name: z.literal('airtime'),
        static_configs: z.tuple([z.object({ targets: z.tuple([z.string()]) })]),
        authorization: z.object({ type: z.string().default('Bearer'), credentials_file: z.string() }),
      }),
    ]),
  });
  let token: string;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'airtime-prometheus-'));
    // The token that the sample says how to make, in the file that it is read from.
    const [, name = '', audience = '', scope = ''] =
      /bss token create (\w+) --audience (\w+) --scopes (\S+)/.exec(read('prometheus.yml')) ?? [];
    const door: Door = { url: platform.url, token: platform.firstToken ?? '' };
    token = String((await tool(door, 'token.create', { name, audience, scopes: [scope] })).token);
    const { scrape_configs: jobs } = sample.parse(parse(read('prometheus.yml')));
    writeFileSync(join(folder, jobs[0].authorization.credentials_file), `${token}\n`);
    copyFileSync(join(root, 'deploy/alerts.yml'), join(folder, 'alerts.yml'));
    copyFileSync(join(root, 'deploy/prometheus.yml'), join(folder, 'prometheus.yml'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('brings a token that opens /metrics to who is not the machine itself, and that the machine itself may bring', async () => {
    const { scrape_configs: jobs } = sample.parse(parse(read('prometheus.yml')));
    const { type, credentials_file: file } = jobs[0].authorization;
    const authorization = `${type} ${readFileSync(join(folder, file), 'utf8').trim()}`;
    // As a proxy or a published port has it: not from the machine itself.
    const away = { 'x-forwarded-for': '172.18.0.1' };
    const statusOf = async (headers: Record<string, string>) =>
      (await fetch(`${platform.url}/metrics`, { headers })).status;
    expect(await statusOf(away)).toBe(401);
    expect(await statusOf({ ...away, authorization })).toBe(200);
    expect(await statusOf({ authorization })).toBe(200);
    expect(await statusOf({})).toBe(200);
  });

  it('asks where Compose publishes the server, and the unit has it listen', () => {
    const { scrape_configs: jobs } = sample.parse(parse(read('prometheus.yml')));
    const [target] = jobs[0].static_configs[0].targets;
    expect(read('compose.yaml')).toContain(`- "${target}:`);
    const [host, port] = target.split(':');
    expect(read('airtime.service')).toContain(`AIRTIME_HOST=${host} AIRTIME_PORT=${port}`);
  });

  withPromtool('is whole by promtool, the file of the token among it', () => {
    const check = () => spawnSync(promtool, ['check', 'config', 'prometheus.yml'], { cwd: folder, encoding: 'utf8' });
    const whole = check();
    expect([whole.status, `${whole.stdout}${whole.stderr}`]).toEqual([0, expect.stringContaining('prometheus.yml')]);
    const { scrape_configs: jobs } = sample.parse(parse(read('prometheus.yml')));
    const file = join(folder, jobs[0].authorization.credentials_file);
    rmSync(file);
    expect(check().status).not.toBe(0);
    writeFileSync(file, `${token}\n`);
  });

  withPrometheus('has Prometheus scrape through a proxy; without its token it would not', async () => {
    const proxy = await openProxy();
    proxy.add(platform.url);
    const { scrape_configs: jobs, ...rest } = sample.parse(parse(read('prometheus.yml')));
    const job = { ...jobs[0], scrape_interval: '1s', static_configs: [{ targets: [new URL(proxy.url).host] }] };
    const { authorization: _authorization, ...bare } = job;
    // JSON is YAML.
    const played = { ...rest, scrape_configs: [job, { ...bare, job_name: 'without' }] };
    writeFileSync(join(folder, 'played.yml'), JSON.stringify(played));
    const port = await freePort();
    const child = spawn(
      prometheus,
      [
        '--config.file=played.yml',
        '--storage.tsdb.path=data',
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=error',
      ],
      { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const targets = z.object({
      data: z.object({
        activeTargets: z.array(z.object({ scrapePool: z.string(), health: z.string(), lastError: z.string() })),
      }),
    });
    const look = async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/targets`).catch(() => undefined);
      const found = answer?.ok ? targets.parse(await answer.json()).data.activeTargets : [];
      return Object.fromEntries(found.map((one) => [one.scrapePool, `${one.health} ${one.lastError}`.trim()]));
    };
    try {
      let seen = await look();
      for (const deadline = Date.now() + 60_000; Date.now() < deadline; await pause(250)) {
        seen = await look();
        if (seen.airtime !== undefined && Object.values(seen).every((one) => !one.startsWith('unknown'))) break;
      }
      expect(seen).toEqual({ airtime: 'up', without: expect.stringMatching(/^down .*401/) });
    } finally {
      child.kill('SIGKILL');
      await ended;
      await proxy.close();
    }
  });
});

describe('dashboard and alerts', () => {
  it('every alert says what it means and what to type, and what is typed exists', () => {
    const tools = z
      .array(z.looseObject({ name: z.string() }))
      .parse(JSON.parse(readFileSync(join(root, 'generated/tools.json'), 'utf8')));
    const verbs = new Set(tools.map(({ name }) => name.replace('.', ' ').replaceAll('_', '-')));
    const typed = alerts.flatMap(({ annotations }) =>
      [...annotations.action.matchAll(/\bbss ([a-z-]+ [a-z-]+)/g)].map(([, verb]) => verb),
    );
    expect(typed.length).toBeGreaterThan(5);
    expect(typed.filter((verb) => verb !== undefined && !verbs.has(verb))).toEqual([]);
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
  });

  it.each(alerts.filter(({ labels }) => labels.severity === 'page').map(({ alert }) => alert))(
    '%s, which pages, has a history that raises it and one that does not',
    (alert) => {
      const expected = histories.filter(({ alertname }) => alertname === alert).map((one) => one.exp_alerts);
      const raised = expected.filter((one) => one.some(({ exp_labels }) => exp_labels.severity === 'page'));
      expect({ raised: raised.length > 0, quiet: expected.some((one) => one.length === 0) }).toEqual({
        raised: true,
        quiet: true,
      });
    },
  );

  it('no history is about an alert that there is not', () => {
    const known = new Set(alerts.map(({ alert }) => alert));
    expect(histories.map(({ alertname }) => alertname).filter((one) => !known.has(one))).toEqual([]);
  });

  it('the dashboard has each panel once, and none over another', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const cells = new Set<string>();
    for (const { gridPos, title } of dashboard.panels) {
      expect([title, gridPos.x + gridPos.w <= 24]).toEqual([title, true]);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect([title, cells.has(`${x} ${y}`)]).toEqual([title, false]);
          cells.add(`${x} ${y}`);
        }
    }
  });
});

describe('what Prometheus itself says (skipped where promtool is not in the PATH or in PROMTOOL: Debian has it in the package prometheus)', () => {
  const run = (...args: string[]) => {
    const done = spawnSync(promtool, args, { cwd: join(root, 'deploy'), encoding: 'utf8' });
    return { status: done.status, said: `${done.stdout}${done.stderr}` };
  };

  withPromtool('the rules are whole', () => {
    expect(run('check', 'rules', 'alerts.yml')).toMatchObject({ status: 0 });
  });

  withPromtool('each alert is raised by the histories that expect it, with its words, and by no other', () => {
    expect(run('test', 'rules', 'alerts.test.yml')).toMatchObject({ status: 0 });
  });

  withPromtool('every expression of the dashboard is one', () => {
    const file = join(home, 'dashboard-rules.json');
    const expressions = drawn.map(({ expr }, n) => ({
      record: `drawn:${n}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$job', 'airtime'),
    }));
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'drawn', rules: expressions }] }));
    expect(run('check', 'rules', file)).toMatchObject({ status: 0 });
    writeFileSync(
      file,
      JSON.stringify({ groups: [{ name: 'drawn', rules: [{ record: 'a', expr: 'sum(rate(x[5m])' }] }] }),
    );
    expect(run('check', 'rules', file).status).not.toBe(0);
  });
});
