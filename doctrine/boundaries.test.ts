import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));
const config = join(root, '.dependency-cruiser.cjs');
const { forbidden } = z
  .object({ forbidden: z.array(z.object({ name: z.string(), severity: z.literal('error') })) })
  .parse(createRequire(import.meta.url)(config));

const report = z.object({
  summary: z.object({
    violations: z.array(z.object({ from: z.string(), to: z.string(), rule: z.object({ name: z.string() }) })),
    totalCruised: z.number(),
  }),
});

/** Judges folders below a directory by the rules of the house. */
function cruise(directory: string, folders: readonly string[]): z.infer<typeof report>['summary'] {
  const bin = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [bin, '--config', config, '--output-type', 'json', ...folders],
    {
      cwd: directory,
      encoding: 'utf8',
      maxBuffer: 256 * 1024 * 1024,
    },
  );
  if (!stdout) throw new Error(stderr);
  return report.parse(JSON.parse(stdout)).summary;
}

/** Each violation of the rules, by the file that has it. `type` imports count too, where nothing says otherwise. */
const planted: Readonly<Record<string, readonly [file: string, line: string][]>> = {
  'room-kernel': [['kernel/reaches-up.ts', `import type { table } from '../policy/core/table.ts';`]],
  'room-generated': [['generated/reaches-up.ts', `import { id } from '../kernel/id.ts';`]],
  'room-adapters': [['adapters/reaches-up.ts', `import type { table } from '../policy/core/table.ts';`]],
  'room-policy': [
    ['policy/order/uses-a-sandbox.ts', `import { sandbox } from '../../adapters/sandbox/sandbox.ts';`],
    ['policy/order/uses-a-surface.ts', `import type { door } from '../../surfaces/http/door.ts';`],
    ['policy/order/uses-the-start.ts', `import { start } from '../../app/start.ts';`],
  ],
  'room-read': [['read/decides.ts', `import { command } from '../policy/core/command.ts';`]],
  'room-handlers': [['handlers/works.ts', `import { worker } from '../workers/worker.ts';`]],
  'room-tools': [['tools/handles.ts', `import type { handler } from '../handlers/handler.ts';`]],
  'room-workers': [['workers/answers.ts', `import { door } from '../surfaces/http/door.ts';`]],
  'room-surfaces': [['surfaces/http/decides.ts', `import { command } from '../../policy/core/command.ts';`]],
  'room-app': [['app/proves.ts', `import { scenario } from '../scenarios/scenario.ts';`]],
  'handlers-from-http-only': [['surfaces/cli/handles.ts', `import { handler } from '../../handlers/handler.ts';`]],
  'surfaces-are-apart': [['surfaces/cli/borrows.ts', `import { door } from '../http/door.ts';`]],
  'proofs-through-public-doors': [['scenarios/cheats.ts', `import { command } from '../policy/core/command.ts';`]],
  'proofs-do-not-lean-on-each-other': [
    ['conformance/leans.ts', `import { scenario } from '../scenarios/scenario.ts';`],
  ],
  'no-cycle': [['policy/order/a.ts', `import { b } from './b.ts';`]],
  'writes-in-policy-only': [
    ['handlers/writes.ts', `import { insertRow } from '../policy/core/table.ts';`],
    ['workers/saves.ts', `import { saveResource } from '../policy/core/resource.ts';`],
    ['app/appends.ts', `import { appendEvent } from '../policy/core/event.ts';`],
  ],
  'no-table-outside-policy': [['tools/knows-columns.ts', `import type { Tables } from '../policy/core/table.ts';`]],
  'database-driver': [
    ['policy/order/connects.ts', `import pg from 'pg';`],
    ['read/connects.ts', `import { Pool } from 'pg';`],
  ],
  'database-connection': [
    ['surfaces/http/connects.ts', `import type { Pool } from 'pg';`],
    ['workers/connects.ts', `import type { Pool } from 'pg';`],
  ],
  'prisma-client': [
    ['policy/order/models.ts', `import { PrismaClient } from '../../generated/prisma/client.ts';`],
    ['handlers/adapts.ts', `import { PrismaPg } from '@prisma/adapter-pg';`],
  ],
  'prisma-types': [['handlers/models.ts', `import type { PrismaClient } from '../generated/prisma/client.ts';`]],
  'sandboxes-from-app-only': [['handlers/pretends.ts', `import { sandbox } from '../adapters/sandbox/sandbox.ts';`]],
  'web-framework': [['tools/serves.ts', `import type { Express } from 'express';`]],
  'no-tests-in-the-house': [['policy/order/leans-on-a-test.ts', `import { helper } from './testing.ts';`]],
  'shipped-packages': [['kernel/develops.ts', `import fc from 'fast-check';`]],
  resolvable: [['read/lost.ts', `import { nothing } from './nowhere.ts';`]],
};

/** What is there to be imported. */
const bystanders: Readonly<Record<string, string>> = {
  'kernel/id.ts': '',
  'policy/core/table.ts': '',
  'policy/core/command.ts': `import type { Pool } from 'pg';\nimport type { PrismaClient } from '../../generated/prisma/client.ts';\nimport { gateway } from '../../adapters/card-gateway.ts';\nimport { id } from '../../kernel/id.ts';`,
  'policy/core/resource.ts': `import { insertRow } from './table.ts';`,
  'policy/core/event.ts': '',
  'policy/order/testing.ts': '',
  'policy/order/b.ts': `import type { a } from './a.ts';`,
  'policy/order/order.test.ts': `import fc from 'fast-check';\nimport { start } from '../../app/start.ts';\nimport { insertRow } from '../core/table.ts';`,
  'adapters/card-gateway.ts': '',
  'adapters/sandbox/sandbox.ts': `import { gateway } from '../card-gateway.ts';`,
  'generated/prisma/client.ts': '',
  'surfaces/http/door.ts': `import express from 'express';\nimport { handler } from '../../handlers/handler.ts';`,
  'handlers/handler.ts': `import { command } from '../policy/core/command.ts';\nimport type { Stored } from '../policy/core/resource.ts';`,
  'workers/worker.ts': `import { command } from '../policy/core/command.ts';`,
  'scenarios/scenario.ts': `import { sandbox } from '../adapters/sandbox/sandbox.ts';`,
  'app/start.ts': `import { door } from '../surfaces/http/door.ts';\nimport { sandbox } from '../adapters/sandbox/sandbox.ts';`,
  'conformance/suite.ts': '',
  'read/list.ts': `import type { Pool } from 'pg';`,
  'tools/registry.ts': `import type { Pool } from 'pg';`,
};

let directory: string;
let found: z.infer<typeof report>['summary']['violations'];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'airtime-boundaries-'));
  for (const file of ['package.json', 'tsconfig.json']) copyFileSync(join(root, file), join(directory, file));
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  const files = { ...bystanders, ...Object.fromEntries(Object.values(planted).flat()) };
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(directory, dirname(file)), { recursive: true });
    writeFileSync(join(directory, file), `${text}\nexport const marker = 1;\n`);
  }
  found = cruise(directory, [...new Set(Object.keys(files).map((file) => file.split('/')[0] ?? ''))]).violations;
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('every rule of the rooms finds what it forbids', () => {
  it('and each has a planted violation', () => {
    expect(forbidden.map(({ name }) => name).sort()).toEqual(Object.keys(planted).sort());
  });

  it.each(Object.entries(planted).flatMap(([rule, files]) => files.map(([file, line]) => ({ rule, file, line }))))(
    '$rule: $line in $file',
    ({ rule, file }) => {
      expect(found.filter(({ from }) => from === file).map((one) => one.rule.name)).toContain(rule);
    },
  );

  it('and nothing in those that keep them, tests included', () => {
    expect(found.filter(({ from }) => Object.hasOwn(bystanders, from))).toEqual([]);
  });
});

it('no room breaks a rule', { timeout: 60_000 }, () => {
  const folders = [
    'kernel',
    'generated',
    'policy',
    'read',
    'handlers',
    'tools',
    'surfaces',
    'adapters',
    'workers',
    'app',
    'build',
    'conformance',
    'scenarios',
    'doctrine',
    'simulation',
    'bench',
    'browser',
  ];
  const { violations, totalCruised } = cruise(root, folders);
  expect(violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)).toEqual([]);
  expect(totalCruised).toBeGreaterThan(200);
});
