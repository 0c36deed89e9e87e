import { beforeAll, expect, test } from 'vitest';
import { type ToolPlaces, toolDifferences } from './compare-tools.ts';
import { gatherTools } from './gather-tools.ts';
import { makeFiles } from './reference/files.ts';

let places: ToolPlaces;
beforeAll(async () => {
  const files = await makeFiles();
  places = await gatherTools({ tools: files.get('tools.html') ?? '', rules: files.get('rules.html') ?? '' });
});

test('registry, terminal, MCP and reference say the same, and each list is light', () => {
  expect(toolDifferences(places)).toEqual([]);
  expect(places.registry.length).toBeGreaterThan(120);
  expect(places.defined.length).toBe(places.registry.length);
});

/** A copy in which something may be changed without harm to the others. */
function copied(): ToolPlaces {
  return structuredClone(places);
}
const editable = <Key, Value>(map: ReadonlyMap<Key, Value>): Map<Key, Value> => new Map(map);

const planted: [string, (at: ToolPlaces) => ToolPlaces, string][] = [
  [
    'a command that no list names',
    (at) => ({ ...at, defined: [...at.defined, 'line.teleport'] }),
    'line.teleport: is defined and not in the registry',
  ],
  [
    'a tool that came from nowhere',
    (at) => ({ ...at, defined: at.defined.filter((name) => name !== 'order.place') }),
    'order.place: is in the registry and nowhere defined',
  ],
  [
    'a tool without a verb',
    (at) => ({ ...at, terminal: editable(at.terminal).set('bill.show', { code: 2, help: '' }) }),
    'bill.show: the terminal has no verb for it',
  ],
  [
    'a verb whose help lacks a rule',
    (at) => ({
      ...at,
      terminal: editable(at.terminal).set('ticket.move', {
        code: 0,
        help: (at.terminal.get('ticket.move')?.help ?? '').replace('ticket.resolve_needs_note', ''),
      }),
    }),
    'ticket.move: the help of its verb lacks the rule',
  ],
  [
    'a tool that the reference lacks',
    (at) => {
      const tools = editable(at.pages.tools);
      tools.delete('card.add');
      return { ...at, pages: { ...at.pages, tools } };
    },
    'card.add: the reference lacks it',
  ],
  [
    'a page that belittles what a tool does',
    (at) => {
      const page = at.pages.tools.get('payment.refund');
      if (!page) throw new Error('payment.refund has a page');
      return {
        ...at,
        pages: { ...at.pages, tools: editable(at.pages.tools).set('payment.refund', { ...page, effect: 'read' }) },
      };
    },
    'payment.refund: the reference has its effect as read',
  ],
  [
    'a rule without its entry',
    (at) => ({
      ...at,
      pages: { ...at.pages, rules: new Set([...at.pages.rules].filter((code) => code !== 'customer.email_unique')) },
    }),
    'customer.register: the page of rules lacks customer.email_unique',
  ],
  [
    'a heavy list',
    (at) => ({ ...at, tokens: editable(at.tokens).set('customer', 8000) }),
    'customer: its agent is listed 8000',
  ],
  [
    'an answer that may be anything',
    (at) => ({
      ...at,
      registry: at.registry.map((tool) =>
        tool.name === 'order.show' ? { ...tool, output: { type: 'object', additionalProperties: true } } : tool,
      ),
    }),
    'order.show: its output says nothing of what is in it',
  ],
  [
    'a schema that leads outside',
    (at) => ({
      ...at,
      registry: at.registry.map((tool) =>
        tool.name === 'customer.create'
          ? { ...tool, input: { type: 'object', properties: { document: { $ref: 'TMF629.json#/x' } } } }
          : tool,
      ),
    }),
    'customer.create: its input leads to TMF629.json#/x',
  ],
];

test.each(planted)('%s is told', (_, plant, told) => {
  expect(toolDifferences(plant(copied())).join('\n')).toContain(told);
});

const forAgents: [string, string][] = [
  ['found', 'usage.replay: an agent of the profile operator cannot find it'],
  ['called', 'usage.replay: an agent of the profile operator cannot call it'],
  ['described', 'usage.replay: an agent of the profile operator is not told what it takes'],
];
test.each(forAgents)('a tool that is not %s by an agent is told', (side, told) => {
  const at = copied();
  const view = at.agents.get('operator');
  if (!view) throw new Error('operators have agents');
  const without = (names: ReadonlySet<string>) => new Set([...names].filter((name) => name !== 'usage.replay'));
  const described = editable(view.described);
  described.delete('usage.replay');
  const changed = {
    ...view,
    ...(side === 'found' ? { found: without(view.found) } : {}),
    ...(side === 'called' ? { called: without(view.called) } : {}),
    ...(side === 'described' ? { described } : {}),
  };
  expect(toolDifferences({ ...at, agents: editable(at.agents).set('operator', changed) })).toEqual([told]);
});

test('an agent that sees what is not its profile’s is told', () => {
  const at = copied();
  const view = at.agents.get('customer');
  if (!view) throw new Error('customers have agents');
  const agents = editable(at.agents).set('customer', { ...view, strangers: ['token.create'] });
  expect(toolDifferences({ ...at, agents })).toEqual(['token.create: an agent of the profile customer sees it']);
});
