import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeOptions } from '../../app/node-options.ts';
import { root } from '../processes.ts';
import { ignoredBy, readDockerfile } from './dockerfile.ts';

const stages = readDockerfile();
const last = stages.at(-1);
const only = (keyword: string) => {
  const found = last?.steps.filter((step) => step.keyword === keyword) ?? [];
  expect([keyword, found.length]).toEqual([keyword, 1]);
  return found[0] ?? { words: [], text: '', flags: {}, keyword };
};

describe('the container image', () => {
  it('is made in stages, and only the last and small one is shipped', () => {
    expect(stages.map(({ name }) => name)).toEqual(['build', 'packages', undefined]);
    expect(last?.image).toMatch(/^node:\d+-bookworm-slim$/);
    const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const [least = Number.NaN] = String(engines.node).match(/\d+/g)?.map(Number) ?? [];
    expect(Number(/\d+/.exec(last?.image ?? '')?.[0])).toBeGreaterThanOrEqual(least);
  });

  it('holds what runs and nothing that builds: production packages, and from here what is named', () => {
    const installs = stages.find(({ name }) => name === 'packages')?.steps.filter(({ keyword }) => keyword === 'RUN');
    expect(installs?.map(({ text }) => text)).toEqual(['npm ci --omit=dev --omit=optional --no-fund --no-audit']);
    const copied = last?.steps.filter(({ keyword }) => keyword === 'COPY') ?? [];
    expect(copied.map(({ flags, words }) => [flags.from ?? '', ...words])).toEqual([
      ['packages', '/build/node_modules', 'node_modules'],
      ['build', '/build/dist', 'dist'],
      ['', 'prisma/migrations', 'prisma/migrations'],
      ['', 'docs/integrators.md', 'docs/integrators.md'],
      ['', 'docs/handbook', 'docs/handbook'],
      ['', 'package.json', 'LICENSE', './'],
    ]);
    for (const { flags, words } of copied)
      if (flags.from === undefined)
        for (const path of words.slice(0, -1)) expect([path, existsSync(join(root, path))]).toEqual([path, true]);
  });

  it('runs as nobody in particular, in the foreground, and can be asked how it is', () => {
    expect(only('USER').text).toBe('1000:1000');
    const order = last?.steps.map(({ keyword }) => keyword) ?? [];
    expect(order.lastIndexOf('COPY')).toBeLessThan(order.indexOf('USER'));
    expect(only('CMD').words).toEqual(['node', ...nodeOptions, 'dist/airtime.js', 'serve']);
    expect(only('HEALTHCHECK').words.slice(0, 3)).toEqual(['CMD', 'node', '-e']);
    expect(only('HEALTHCHECK').words[3]).toContain('/health');
    expect(only('STOPSIGNAL').text).toBe('SIGTERM');
    expect(only('ENV').text).toContain('NODE_ENV=production');
  });

  it('is played with all its stages by make image-drill', () => {
    const recipe = /^image-drill:.*\n((?:\t.*\n)+)/m.exec(readFileSync(join(root, 'Makefile'), 'utf8'))?.[1];
    expect(recipe).toBe('\t$(TSX) deploy/image/main.ts --whole\n');
    // What the verb passes is what the drill asks for.
    expect(readFileSync(join(root, 'deploy/image/main.ts'), 'utf8')).toContain("process.argv.includes('--whole')");
  });

  it('is given no secret, at build or by its file', () => {
    const text = readFileSync(join(root, 'Dockerfile'), 'utf8');
    expect(text).not.toMatch(/_(URL|KEY|TOKEN|PASSWORD|SECRET)=/);
    expect(stages.flatMap(({ steps }) => steps.filter(({ keyword }) => keyword === 'ADD'))).toEqual([]);
  });
});

describe('what is sent to a build', () => {
  const isIgnored = ignoredBy(readFileSync(join(root, '.dockerignore'), 'utf8'));
  it.each([
    '.git/HEAD',
    '.airtime/cli.json',
    'node_modules/pg/package.json',
    'client/node_modules/x',
    'dist/airtime.js',
    'server.log',
    'deploy/server.log',
    '.env',
    'deploy/.env.local',
    'deploy/secrets/database_url',
    'generated/tools.json',
  ])('is not %s', (path) => expect(isIgnored(path)).toBe(true));
  it.each([
    'package.json',
    'app/main.ts',
    'prisma/migrations/migration_lock.toml',
    'generated/openapi/TMF622.json',
    'docs/handbook/02-selling.md',
    'build/bundle.ts',
    'Makefile',
    'LICENSE',
  ])('is %s', (path) => expect(isIgnored(path)).toBe(false));
});
