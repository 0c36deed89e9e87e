import ts from 'typescript';
import { finding, nodesOf, rooms, type SourceCheck } from './source.ts';

const money = /minor|price|money|cents|tax(?!onomy)|fee(minor)?$/i;
const arithmetic = new Set([
  ts.SyntaxKind.AsteriskToken,
  ts.SyntaxKind.SlashToken,
  ts.SyntaxKind.AsteriskAsteriskToken,
  ts.SyntaxKind.AsteriskEqualsToken,
  ts.SyntaxKind.SlashEqualsToken,
  ts.SyntaxKind.PercentToken,
]);

/** Whether an operand is a sum of money by its name, its own or that of what it is taken from. */
function isMoney(node: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(node)) return isMoney(node.expression);
  if (ts.isIdentifier(node)) return money.test(node.text);
  if (ts.isPropertyAccessExpression(node)) return money.test(node.name.text) || isMoney(node.expression);
  if (ts.isElementAccessExpression(node)) return isMoney(node.expression);
  if (ts.isCallExpression(node)) return isMoney(node.expression) || node.arguments.some((one) => isMoney(one));
  if (ts.isBinaryExpression(node)) return isMoney(node.left) || isMoney(node.right);
  if (ts.isPrefixUnaryExpression(node)) return isMoney(node.operand);
  return false;
}

/** Money is an integer of minor units. It is added and compared anywhere, and split or scaled in kernel/money.ts alone. */
export const moneyCheck: SourceCheck = {
  name: 'floating-point money',
  refuses: 'multiplying or dividing money, parseFloat, toFixed and fractions of minor units outside kernel/money.ts',
  rooms,
  plants: [
    {
      file: 'policy/payment/plant-divide.ts',
      text: 'export const half = (one: { amountMinor: number }): number => one.amountMinor / 2;',
    },
    { file: 'policy/bill/plant-multiply.ts', text: 'export const withTax = (price: number): number => price * 1.09;' },
    {
      file: 'policy/order/plant-wire.ts',
      text: 'export const minor = (body: { price: { value: number } }): number => Math.round(body.price.value * 100);',
    },
    { file: 'policy/order/plant-parse.ts', text: `export const read = (text: string): number => parseFloat(text);` },
    {
      file: 'policy/order/plant-number-parse.ts',
      text: `export const read = (text: string): number => Number.parseFloat(text);`,
    },
    { file: 'surfaces/cli/plant-fixed.ts', text: 'export const shown = (minor: number): string => minor.toFixed(2);' },
    {
      file: 'policy/order/plant-fraction.ts',
      text: 'export const least = (one: { amountMinor: number }): boolean => one.amountMinor > 0.5;',
    },
    {
      file: 'policy/order/plant-scaled.ts',
      text: 'export function grow(one: { feeMinor: number }): void {\n  one.feeMinor *= 1.1;\n}',
    },
  ],
  judge(file) {
    if (file.path === 'kernel/money.ts') return [];
    const found = [];
    for (const node of nodesOf(file.node)) {
      if (ts.isBinaryExpression(node)) {
        const sides = [node.left, node.right];
        if (arithmetic.has(node.operatorToken.kind) && sides.some(isMoney)) {
          found.push(
            finding(file, node, `${node.operatorToken.getText(file.node)} on ${node.getText(file.node).slice(0, 60)}`),
          );
        }
        if (sides.some((side) => ts.isNumericLiteral(side) && side.text.includes('.')) && sides.some(isMoney)) {
          found.push(finding(file, node, `a fraction in ${node.getText(file.node).slice(0, 60)}`));
        }
      }
      if (ts.isIdentifier(node) && node.text === 'parseFloat') found.push(finding(file, node, 'parseFloat'));
      if (ts.isPropertyAccessExpression(node) && /^(toFixed|toPrecision)$/.test(node.name.text)) {
        found.push(finding(file, node, node.name.text));
      }
    }
    return found;
  },
};
