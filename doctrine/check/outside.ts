import ts from 'typescript';
import type { Finding } from './finding.ts';
import { declarationOf, finding, nodesOf, type SourceCheck, type Sources } from './source.ts';

/** Members that a command or a resource has and that run while its transaction is open. */
const inTransaction = new Set([
  'facts',
  'apply',
  'keepRefused',
  'kept',
  'alongside',
  'extraFacts',
  'afterCreate',
  'afterPatch',
  'defaults',
  'touch',
]);
/** What opens a transaction, and runs what it is given in it. */
const opens = new Set(['transaction', 'during', 'finish']);
/** Where the outside is declared: the interfaces of the adapters, and what the start gives policy beside them. */
const interfaces = /(^|\/)(adapters\/[\w-]+|policy\/notification\/subscriptions)\.ts$/;
const network =
  /\/@types\/node\/(http2?|https|net|tls|dns(\/promises)?|dgram|child_process)\.d\.ts$|\/undici-types\/|\/node_modules\/(stripe|nodemailer|undici|got|axios)\//;

type Body = ts.FunctionLikeDeclaration;

function isBody(node: ts.Node): node is Body {
  return (
    (ts.isFunctionDeclaration(node) ||
      ts.isFunctionExpression(node) ||
      ts.isArrowFunction(node) ||
      ts.isMethodDeclaration(node)) &&
    node.body !== undefined
  );
}

/** Whether a function is given an open transaction: by its type, or by the name that the house gives it. */
function takesTransaction(node: Body): boolean {
  return node.parameters.some((one) => {
    if (ts.isIdentifier(one.name) && one.name.text === 'tx') return true;
    const type = one.type;
    return (
      type !== undefined &&
      ts.isTypeReferenceNode(type) &&
      ts.isIdentifier(type.typeName) &&
      type.typeName.text === 'Tx'
    );
  });
}

function nameOfMember(node: Body): string | undefined {
  const holder = ts.isMethodDeclaration(node) ? node : node.parent;
  if ((ts.isMethodDeclaration(holder) || ts.isPropertyAssignment(holder)) && ts.isIdentifier(holder.name))
    return holder.name.text;
  return undefined;
}

function isOpened(node: Body): boolean {
  const call = node.parent;
  if (!call || !ts.isCallExpression(call) || !call.arguments.some((one) => one === node)) return false;
  const callee = ts.isPropertyAccessExpression(call.expression) ? call.expression.name : call.expression;
  return ts.isIdentifier(callee) && opens.has(callee.text);
}

/** The function that a declaration stands for, where its text is ours. */
function bodyOf(declaration: ts.Declaration | undefined): Body | undefined {
  if (!declaration) return undefined;
  if (isBody(declaration)) return declaration;
  if (ts.isVariableDeclaration(declaration) && declaration.initializer && isBody(declaration.initializer)) {
    return declaration.initializer;
  }
  if (ts.isPropertyAssignment(declaration) && isBody(declaration.initializer)) return declaration.initializer;
  return undefined;
}

/** The first way from a function to the outside, as what is called on it; nothing when there is none. */
function wayOut(sources: Sources, node: Body, known: Map<Body, string | null>): string | undefined {
  const before = known.get(node);
  if (before !== undefined) return before ?? undefined;
  known.set(node, null);
  for (const call of nodesOf(node)) {
    if (!ts.isCallExpression(call) && !ts.isNewExpression(call)) continue;
    const out = calledOutside(sources, call, known);
    if (out !== undefined) {
      known.set(node, out);
      return out;
    }
  }
  return undefined;
}

function calledOutside(
  sources: Sources,
  call: ts.CallExpression | ts.NewExpression,
  known: Map<Body, string | null>,
): string | undefined {
  const callee = ts.isPropertyAccessExpression(call.expression) ? call.expression.name : call.expression;
  if (!ts.isIdentifier(callee)) return undefined;
  const declaration = declarationOf(sources, callee);
  if (callee.text === 'fetch' && (declaration === undefined || declaration.getSourceFile().isDeclarationFile))
    return 'fetch';
  if (!declaration) return undefined;
  const place = declaration.getSourceFile().fileName;
  if (network.test(place)) return `${callee.text} of ${place.split('/').slice(-1)[0]}`;
  const isMember = ts.isMethodSignature(declaration) || ts.isPropertySignature(declaration);
  if (isMember && interfaces.test(sources.pathOf(declaration))) {
    return `${callee.text} of ${sources.pathOf(declaration)}`;
  }
  const body = bodyOf(declaration);
  const way = body && !place.includes('/node_modules/') ? wayOut(sources, body, known) : undefined;
  return way === undefined ? undefined : `${callee.text} > ${way}`;
}

const known = new WeakMap<Sources, Map<Body, string | null>>();

/**
 * Follows every call that is made while a transaction is open, through functions of the house as far as they lead, to
 * the members of the outside's interfaces and to what speaks to a network.
 */
export const outsideCheck: SourceCheck = {
  name: 'the outside in a transaction',
  refuses: 'card gateway, network, mail or a socket called, directly or through functions, while a transaction is open',
  rooms: ['policy', 'workers', 'handlers', 'tools', 'app'],
  plants: [
    {
      file: 'policy/payment/plant-apply.ts',
      text: `import type { Outside } from '../core/command.ts';
import type { Tx } from '../core/transaction.ts';
export const made = (outside: Outside) => ({ apply: async (tx: Tx) => ({ at: tx.now, card: await outside.gateway.describeCard('tok') }) });`,
    },
    {
      file: 'policy/payment/plant-during.ts',
      text: `import type { StepContext } from '../core/flow.ts';
export const run = (context: StepContext) => context.during('plant.run', async () => { await context.outside.network.line('sub'); });`,
    },
    {
      file: 'policy/payment/plant-far.ts',
      text: `import type { Outside } from '../core/command.ts';
import type { Tx } from '../core/transaction.ts';
async function deep(outside: Outside): Promise<unknown> { return outside.gateway.book(); }
const middle = async (outside: Outside): Promise<unknown> => deep(outside);
export async function facts(tx: Tx, outside: Outside): Promise<unknown> { return [tx.now, await middle(outside)]; }`,
    },
    {
      file: 'policy/payment/plant-fetch.ts',
      text: `import { type Policy, transaction } from '../core/command.ts';
import { systemCaller } from '../../kernel/caller.ts';
export const tell = (policy: Policy, url: string) => transaction(policy, 'plant.tell', systemCaller('plant'), {}, async () => fetch(url));`,
    },
    {
      file: 'policy/payment/plant-socket.ts',
      text: `import { connect } from 'node:net';
import type { Tx } from '../core/transaction.ts';
export const ask = async (tx: Tx): Promise<void> => { connect(25, String(tx.now)); };`,
    },
    {
      file: 'policy/payment/plant-mail.ts',
      text: `import type { Outside } from '../core/command.ts';
export const made = (outside: Outside) => ({ async keepRefused() { await outside.mail.send({} as never); } });`,
    },
  ],
  judge(file, sources) {
    let ways = known.get(sources);
    if (!ways) {
      ways = new Map();
      known.set(sources, ways);
    }
    const found: Finding[] = [];
    for (const node of nodesOf(file.node)) {
      if (!isBody(node)) continue;
      const isRoot = takesTransaction(node) || isOpened(node) || inTransaction.has(nameOfMember(node) ?? '');
      if (!isRoot) continue;
      const way = wayOut(sources, node, ways);
      if (way !== undefined) found.push(finding(file, node, way));
    }
    return found;
  },
};
