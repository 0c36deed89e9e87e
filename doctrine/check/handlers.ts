import ts from 'typescript';
import { finding, importsOf, nodesOf, type SourceCheck, textsOf } from './source.ts';

const sql =
  /\b(select\s+[\w"*(].*\bfrom\b|select\s+\w+\(|insert\s+into|update\s+"?\w+"?\s+set|delete\s+from|with\s+\w+\s+as\s*\()/is;
/** Modules whose names say that more than mapping goes on. */
const beyondMapping =
  /policy\/(.*\/rules|core\/(rule|machine|event|table|resource|flow)|[\w-]+\/(machines?|steps|rules))\.ts$/;

/** A handler maps an operation to a command or a query and back. It judges nothing and asks the database nothing. */
export const handlersCheck: SourceCheck = {
  name: 'handlers map only',
  refuses: 'a rule, a refusal, SQL, a statement or reckoning in handlers/',
  rooms: ['handlers'],
  plants: [
    {
      file: 'handlers/plant-rule.ts',
      text: `import { rule } from '../policy/core/rule.ts';\nexport const mine = rule<object>({ code: 'a.b', sentence: 'No.', kept: () => false });`,
    },
    {
      file: 'handlers/plant-refusal.ts',
      text: `import { Refusal } from '../kernel/error.ts';\nexport const no = (state: string) => { if (state === 'blocked') throw new Refusal('a.b', 'No.'); };`,
    },
    {
      file: 'handlers/plant-sql.ts',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a program
      text: 'export const text = (id: string): string => `select "id" from "customer" where "id" = ${id}`;',
    },
    {
      file: 'handlers/plant-query.ts',
      text: `import type { Wire } from './wire.ts';\nexport const ask = (wire: Wire, text: string) => wire.pool.query(text);`,
    },
    {
      file: 'handlers/plant-state.ts',
      text: `import type { WireRequest } from './wire.ts';\nexport const judged = (request: WireRequest, one: { state: string }): boolean => one.state === 'active' && request.id !== undefined;`,
    },
    {
      file: 'handlers/tmf999.ts',
      text: `import { standard } from './generic.ts';\nexport const tmf999 = (commands: never) => { if (commands) return undefined; return standard('TMF620', commands); };`,
    },
  ],
  judge(file) {
    const found = [...textsOf(file.node)]
      .filter(({ text }) => sql.test(text))
      .map(({ node }) => finding(file, node, 'SQL'));
    for (const { module, name, isType, node } of importsOf(file)) {
      if (!isType && (beyondMapping.test(module) || name === 'Refusal' || name === 'runStatement')) {
        found.push(finding(file, node, `imports ${name} of ${module}`));
      }
    }
    const isApi = /^handlers\/tmf\d{3}\.ts$/.test(file.path);
    for (const node of nodesOf(file.node)) {
      if (
        ts.isPropertyAccessExpression(node) &&
        /^(query|sql)$/.test(node.name.text) &&
        ts.isCallExpression(node.parent)
      ) {
        if (node.parent.expression === node) found.push(finding(file, node, `a statement by .${node.name.text}`));
      }
      if (ts.isTaggedTemplateExpression(node)) found.push(finding(file, node, 'a statement by template'));
      if (ts.isBinaryExpression(node)) {
        // What state a resource is in decides nothing at the door.
        const sides = [node.left, node.right];
        const comparesState = sides.some(
          (side) => ts.isPropertyAccessExpression(side) && /^(state|status|lifecycleStatus)$/.test(side.name.text),
        );
        if (comparesState && sides.some((side) => ts.isStringLiteral(side)))
          found.push(finding(file, node, 'a judgement of a state'));
        if (/^[*/%]$/.test(node.operatorToken.getText(file.node))) found.push(finding(file, node, 'reckoning'));
      }
      if (
        isApi &&
        (ts.isIfStatement(node) ||
          ts.isIterationStatement(node, false) ||
          ts.isSwitchStatement(node) ||
          ts.isTryStatement(node))
      ) {
        found.push(finding(file, node, 'more than mapping in the file of an API'));
      }
    }
    return found;
  },
};
