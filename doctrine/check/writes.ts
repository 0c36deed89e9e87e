import ts from 'typescript';
import type { Finding } from './finding.ts';
import {
  finding,
  importsOf,
  nodesOf,
  rooms,
  type SourceCheck,
  type SourceFile,
  type Sources,
  textsOf,
} from './source.ts';

const name = '(?:"?\\w+"?\\.)?["\\w$]+';
const writing = [
  new RegExp(`\\binsert\\s+into\\s+${name}`, 'i'),
  new RegExp(`\\bupdate\\s+(?:only\\s+)?${name}\\s+(?:as\\s+)?(?:\\w+\\s+)?set\\b`, 'i'),
  new RegExp(`\\bdelete\\s+from\\s+${name}`, 'i'),
  /\btruncate\s+(?:table\s+)?(?:only\s+)?["\w]+\s*(?:,|;|$|cascade|restart)/i,
  new RegExp(`\\bmerge\\s+into\\s+${name}`, 'i'),
  /\bcopy\s+["\w]+\s+(?:\([^)]*\)\s*)?from\b/i,
  /\b(?:create|alter|drop)\s+(?:table|index|function|trigger|view|role)\b/i,
  /\bset_config\s*\(\s*'airtime\./i,
];

/** The kind of write that a text of SQL makes; nothing when it makes none. `functions` write when they are called. */
export function writeIn(text: string, functions: readonly string[]): string | undefined {
  const words = text.replace(/\s+/g, ' ');
  for (const one of writing) {
    const [found] = one.exec(words) ?? [];
    if (found !== undefined) return found.trim();
  }
  return functions.find(
    (fn) => new RegExp(`\\b${fn}\\s*\\(`).test(words) && /\b(select|perform|from|call)\b/i.test(words),
  );
}

const ormWrites =
  /^(create|createMany|createManyAndReturn|update|updateMany|upsert|delete|deleteMany|\$executeRaw|\$executeRawUnsafe|\$queryRaw|\$queryRawUnsafe|\$transaction)$/;
/** What policy uses to write, by module: outside of it even the name is too much. */
const writers: Readonly<Record<string, RegExp>> = {
  'policy/core/table.ts': /./,
  'policy/core/resource.ts': /^(createResource|saveResource|removeResource|lockResource)$/,
  'policy/core/event.ts': /./,
  'policy/core/command.ts': /^transaction$/,
  'policy/core/flow.ts': /^(schedule|cancelSteps)$/,
};

function resolved(file: SourceFile, module: string): string {
  if (!module.startsWith('.')) return module;
  const parts = file.path.split('/').slice(0, -1);
  for (const part of module.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function ormCalls(file: SourceFile, { checker }: Sources): Finding[] {
  const found: Finding[] = [];
  for (const node of nodesOf(file.node)) {
    if (!ts.isCallExpression(node) && !ts.isTaggedTemplateExpression(node)) continue;
    const callee = ts.isCallExpression(node) ? node.expression : node.tag;
    if (!ts.isPropertyAccessExpression(callee) || !ormWrites.test(callee.name.text)) continue;
    const declared = checker.getSymbolAtLocation(callee.name)?.declarations?.[0]?.getSourceFile().fileName ?? '';
    if (/\/generated\/prisma\/|\/node_modules\/@prisma\//.test(declared)) {
      found.push(finding(file, node, `ORM ${callee.name.text}`));
    }
  }
  return found;
}

/** @param functions those of the live database that write when they are called. */
export const writesCheck = (functions: readonly string[]): SourceCheck => ({
  name: 'writes outside policy',
  refuses: 'SQL that writes, a call of the ORM, or an import of what writes, anywhere but in policy/',
  // What opens, migrates and stops the database is below every command.
  rooms: rooms.filter((room) => room !== 'policy'),
  plants: [
    {
      file: 'workers/plant-update.ts',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a program
      text: 'export const text = (id: string): string => `UPDATE "hub" SET "query" = NULL WHERE "id" = ${id}`;',
    },
    { file: 'read/views/plant-insert.ts', text: `export const text = 'insert into' + ' "event" ("id") VALUES ($1)';` },
    {
      file: 'tools/plant-cte.ts',
      text: 'export const text = `WITH gone AS (DELETE FROM "usage" RETURNING "id") SELECT count(*) FROM gone`;',
    },
    { file: 'surfaces/cli/plant-truncate.ts', text: `export const text = 'TRUNCATE "event"';` },
    { file: 'app/plant-merge.ts', text: `export const text = 'MERGE INTO "setting" s USING x ON true';` },
    { file: 'handlers/plant-function.ts', text: `export const text = 'SELECT record_usage_batch($1)';` },
    {
      file: 'workers/plant-import.ts',
      text: `import { insertRow as put } from '../policy/core/table.ts';\nexport const used = put;`,
    },
    {
      file: 'workers/plant-transaction.ts',
      text: `import { transaction } from '../policy/core/command.ts';\nexport const used = transaction;`,
    },
    {
      file: 'app/plant-orm.ts',
      text: `import type { PrismaClient } from '../generated/prisma/client.ts';\nexport const used = (client: PrismaClient) => client.hub.deleteMany({});`,
    },
  ],
  judge(file, sources) {
    if (file.path.startsWith('app/database/')) return [];
    const found = [...textsOf(file.node)].flatMap(({ node, text }) => {
      const write = writeIn(text, functions);
      return write === undefined ? [] : [finding(file, node, write)];
    });
    for (const { module, name: imported, isType, node } of importsOf(file)) {
      const path = resolved(file, module);
      const refused = writers[path];
      if (!isType && refused && (imported === '*' || refused.test(imported))) {
        found.push(finding(file, node, `imports ${imported} of ${path}`));
      }
    }
    return [...found, ...ormCalls(file, sources)];
  },
});
