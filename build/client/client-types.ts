import { apis, operations } from '../../generated/operations.ts';

/** The text of `generated/client.ts`: the served operations of each API, as types and as what a program needs to call them. */
export function clientTypes(): string {
  const lines = [
    '// Made by `make generate` from specs/. Do not edit.',
    '',
    ...apis.map(({ api }) => `import type { operations as ${api} } from './types/${api}.ts';`),
    '',
    '/** What each operation takes and answers, by API and operation id. */',
    'export interface Operations {',
  ];
  for (const { api } of apis) {
    const ids = servedBy(api).map(({ operationId }) => `'${operationId}'`);
    lines.push(`  ${api}: Pick<${api}, ${ids.join(' | ')}>;`);
  }
  lines.push('}', '', '/** Where each operation is: its method and its path below the base path of the API. */');
  lines.push('export const routes = {');
  for (const { api, basePaths } of apis) {
    lines.push(`  ${api}: {`, `    basePath: '${basePaths[0]}',`, '    operations: {');
    for (const { operationId, method, path } of servedBy(api)) {
      lines.push(`      ${operationId}: { method: '${method}', path: '${path}' },`);
    }
    lines.push('    },', '  },');
  }
  return `${lines.join('\n')}\n} as const;\n`;
}

const servedBy = (api: string) => operations.filter((one) => one.api === api && one.served);
