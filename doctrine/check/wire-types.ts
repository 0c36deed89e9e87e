import ts from 'typescript';
import { resources } from '../../generated/operations.ts';
import { finding, nodesOf, rooms, type SourceCheck } from './source.ts';

const schemas = new Set<string>(resources.map(({ schema }) => schema));
const marks = new Set(['@type', '@baseType', '@schemaLocation', '@referredType']);

const memberName = (node: ts.TypeElement | ts.ClassElement | ts.ObjectLiteralElementLike): string | undefined =>
  node.name && (ts.isStringLiteral(node.name) || ts.isIdentifier(node.name)) ? node.name.text : undefined;

function zodMembers(node: ts.Node): readonly ts.ObjectLiteralElementLike[] {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return [];
  const [shape] = node.arguments;
  const isObject = /^(object|strictObject|looseObject|interface)$/.test(node.expression.name.text);
  return isObject && shape && ts.isObjectLiteralExpression(shape) ? shape.properties : [];
}

/** The shapes of the wire are made from the contracts: one that is written by hand is a second truth. */
export const wireTypesCheck: SourceCheck = {
  name: 'wire types by hand',
  refuses: 'a type, class or schema with @type and its like, or of a contract’s own name, outside generated/',
  rooms,
  plants: [
    { file: 'handlers/plant-interface.ts', text: `export interface Mine { id: string; '@type': string; }` },
    { file: 'policy/order/plant-alias.ts', text: `export type Mine = { '@baseType'?: string };` },
    { file: 'read/views/plant-named.ts', text: 'export interface ProductOrder { id: string; state: string; }' },
    {
      file: 'tools/plant-zod.ts',
      text: `import { z } from 'zod';\nexport const mine = z.object({ id: z.string(), '@type': z.string() });`,
    },
    { file: 'policy/order/plant-class.ts', text: `export class Mine { '@schemaLocation' = ''; }` },
    {
      file: 'policy/order/plant-named-alias.ts',
      text: 'export type TroubleTicket = { id: string; severity: string };',
    },
  ],
  judge(file) {
    const found = [];
    for (const node of nodesOf(file.node)) {
      const members =
        ts.isInterfaceDeclaration(node) || ts.isTypeLiteralNode(node) || ts.isClassDeclaration(node)
          ? node.members
          : zodMembers(node);
      for (const member of members) {
        const name = memberName(member);
        if (name !== undefined && marks.has(name)) found.push(finding(file, member, `a shape with ${name}`));
      }
      const isOwn =
        ts.isInterfaceDeclaration(node) || (ts.isTypeAliasDeclaration(node) && ts.isTypeLiteralNode(node.type));
      if (isOwn && schemas.has(node.name.text)) found.push(finding(file, node, `a shape named ${node.name.text}`));
    }
    return found;
  },
};
