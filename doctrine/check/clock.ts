import ts from 'typescript';
import { finding, importsOf, nodesOf, rooms, type SourceCheck } from './source.ts';

const parent = (node: ts.Node): ts.Node => node.parent;
const isMember = (node: ts.Node): boolean =>
  (ts.isPropertyAccessExpression(parent(node)) && (parent(node) as ts.PropertyAccessExpression).name === node) ||
  ((ts.isPropertyAssignment(parent(node)) ||
    ts.isPropertySignature(parent(node)) ||
    ts.isBindingElement(parent(node))) &&
    (parent(node) as ts.PropertyAssignment).name === node);

/** What is read of a global object by name: `now` of `Date.now` and of `Date['now']`. */
function memberRead(node: ts.Identifier): string | undefined {
  const above = parent(node);
  if (ts.isPropertyAccessExpression(above) && above.expression === node) return above.name.text;
  if (
    ts.isElementAccessExpression(above) &&
    above.expression === node &&
    ts.isStringLiteral(above.argumentExpression)
  ) {
    return above.argumentExpression.text;
  }
  return undefined;
}

/** What a use of one of the globals that tell the time or draw lots comes to; nothing where it is harmless. */
function usedGlobal(node: ts.Identifier): string | undefined {
  const above = parent(node);
  const member = memberRead(node);
  switch (node.text) {
    case 'Date':
      if (ts.isNewExpression(above) && above.expression === node) {
        return (above.arguments?.length ?? 0) === 0 ? 'new Date()' : undefined;
      }
      if (member === 'UTC' || member === 'parse' || member === 'prototype') return undefined;
      if (ts.isBinaryExpression(above) && above.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword)
        return undefined;
      return member === undefined ? 'Date as a value' : `Date.${member}`;
    case 'Math':
      if (member === undefined) return 'Math as a value';
      return member === 'random' ? 'Math.random' : undefined;
    case 'performance':
      return 'performance';
    case 'crypto':
      return 'crypto';
    case 'process':
      return member === 'hrtime' || member === 'uptime' ? `process.${member}` : undefined;
    case 'globalThis':
      return 'globalThis';
    case 'DateTime':
      if (member === 'now' || member === 'utc') return `DateTime.${member}`;
      if (member === 'local') {
        const call = parent(above);
        // `local({ zone })` reads the clock; the house uses it only to see whether a zone is one.
        return ts.isCallExpression(call) && ts.isPropertyAccessExpression(parent(call)) ? undefined : 'DateTime.local';
      }
      return undefined;
    default:
      return undefined;
  }
}

const lots = /^(random\w*|getRandomValues|webcrypto|randomUUID)$/;

/** Business code has its time and its ids from its transaction; what tells machine time is on a list with its reason. */
export const clockCheck: SourceCheck = {
  name: 'wall clock and randomness',
  refuses: 'Date.now, new Date(), Math.random, random ids and performance instead of the injected ones',
  rooms,
  plants: [
    { file: 'policy/order/plant-now.ts', text: 'export const late = (at: number): boolean => Date.now() > at;' },
    { file: 'policy/order/plant-new-date.ts', text: 'export const today = (): Date => new Date();' },
    { file: 'read/views/plant-random.ts', text: 'export const lot = (): number => Math.random();' },
    {
      file: 'handlers/plant-uuid.ts',
      text: `import { randomUUID as id } from 'node:crypto';\nexport const made = id();`,
    },
    { file: 'kernel/plant-performance.ts', text: 'export const at = (): number => performance.now();' },
    { file: 'tools/plant-alias.ts', text: 'const Clock = Date;\nexport const at = (): number => Clock.now();' },
    { file: 'policy/usage/plant-element.ts', text: `export const at = (): number => Date['now']();` },
    { file: 'policy/usage/plant-called.ts', text: 'export const at = (): string => Date();' },
    {
      file: 'policy/bill/plant-luxon.ts',
      text: `import { DateTime } from 'luxon';\nexport const at = (): DateTime => DateTime.now();`,
    },
    { file: 'policy/bill/plant-global-crypto.ts', text: 'export const id = (): string => crypto.randomUUID();' },
    { file: 'policy/bill/plant-global-this.ts', text: 'export const at = (): number => globalThis.Date.now();' },
  ],
  judge(file, sources) {
    const found = importsOf(file)
      .filter(
        ({ module, name, isType }) =>
          /^(node:)?crypto$/.test(module) && !isType && (lots.test(name) || name === '*' || name === 'default'),
      )
      .map(({ name, node }) => finding(file, node, `node:crypto ${name}`));
    for (const node of nodesOf(file.node)) {
      if (!ts.isIdentifier(node) || isMember(node) || ts.isTypeReferenceNode(parent(node))) continue;
      const what = usedGlobal(node);
      if (what === undefined) continue;
      // A name of the file's own is not the global of that name; luxon's is luxon's wherever it is imported.
      const declared = sources.checker.getSymbolAtLocation(node)?.declarations?.[0];
      if (declared && node.text !== 'DateTime' && !declared.getSourceFile().isDeclarationFile) continue;
      found.push(finding(file, node, what));
    }
    return found;
  },
};
