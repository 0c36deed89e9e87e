import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HostileWorld, openHostileWorld, type Somebody } from '../../doctrine/hostile/world.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { transcriptHash } from '../../policy/chat/commands.ts';
import { escalationIn } from '../../policy/chat/escalation.ts';

let world: HostileWorld;
let ada: Somebody;
let ben: Somebody;
beforeAll(async () => {
  world = await openHostileWorld();
  ada = await world.somebody('Ada Lim');
  ben = await world.somebody('Ben Tan');
});
afterAll(() => world.close());

const [proposals, calls] = [
  (body: JsonObject) => (Array.isArray(body.proposals) ? body.proposals.filter(isJsonObject) : []),
  (body: JsonObject) =>
    Array.isArray(body.toolCalls) ? body.toolCalls.filter(isJsonObject).map(({ tool }) => tool) : [],
];
const tokenOf = (proposal: JsonObject | undefined): string =>
  isJsonObject(proposal?.confirmation) ? String(proposal.confirmation.token) : '';
const ordersOf = async (customer: string) =>
  (await world.rows('SELECT "id" FROM "product_order" WHERE "customer_id" = $1', [customer])).length;

describe.each(['/chat', '/anthropic-chat'])('with a model behind %s', (prefix) => {
  test('a turn reads by tools, answers, and is kept with its cost', async () => {
    world.model.play(({ step }) =>
      step === 0
        ? { calls: [{ name: 'subscription-list', arguments: {} }] }
        : { text: 'There are 30 GB left.', usage: { input: 1000, output: 100 } },
    );
    const session = await world.session(ada.token, prefix);
    const { status, body } = await world.say(ada.token, 'How much is left?', session, prefix);
    expect([status, body]).toEqual([
      200,
      { reply: 'There are 30 GB left.', assistant: 'model', toolCalls: [{ tool: 'subscription.list' }], proposals: [] },
    ]);
    const [first, second] = world.model.asked;
    expect(first?.heard).toContain('How much is left?');
    expect(first?.tools).toContain('subscription-top_up');
    expect(first?.tools).not.toContain('customer-list');
    expect(second?.results.join()).toMatch(/<untrusted [\w-]+>\n.*Standard.*\n<\/untrusted/);
    expect(world.model.keys[0]).toContain('key-of-the-model-endpoint');
    const [turn] = await world.rows<{
      state: string;
      costMicros: bigint;
      inputTokens: number;
      latencyMs: number;
      model: string;
    }>(
      'SELECT "state", "cost_micros", "input_tokens", "latency_ms", "model" FROM "chat_turn" WHERE "session_id" = $1',
      [session],
    );
    // 1,100 tokens in at 300, 120 out at 1,500, in millionths of a minor unit.
    expect(turn).toMatchObject({ state: 'done', costMicros: 510_000n, inputTokens: 1100, model: 'scripted' });
    const [contact] = await world.rows<{ document: JsonObject }>(
      `SELECT "document" FROM "party_interaction" WHERE "customer_id" = $1 ORDER BY "id" DESC LIMIT 1`,
      [ada.customer],
    );
    expect(contact?.document).toMatchObject({ channel: [{ id: 'chat' }], reason: 'chat' });
  });

  test('money is proposed, the token is the person’s alone, and confirms once', async () => {
    const before = await ordersOf(ada.customer);
    const input = { subscriptionId: ada.line, offering: 'VAS_DATA_1GB' };
    world.model.play(({ step }) =>
      step === 0 ? { calls: [{ name: 'subscription-top_up', arguments: input }] } : { text: 'Please confirm.' },
    );
    const { body } = await world.say(ada.token, 'Top up 1 GB', undefined, prefix);
    const [proposal] = proposals(body);
    expect(proposal).toMatchObject({
      tool: 'subscription.top_up',
      arguments: input,
      proposal: { amount: { text: 'SGD 3.00' } },
    });
    expect(tokenOf(proposal)).toMatch(/^cnf_/);
    expect(world.model.asked.map(({ raw }) => raw).join()).not.toContain('cnf_');
    expect(world.model.asked[1]?.results.join()).toContain('SGD 3.00');
    expect(await ordersOf(ada.customer)).toBe(before);
    const confirm = () =>
      world.request('POST', '/tools/subscription.top_up', ada.token, input, {
        'confirmation-token': tokenOf(proposal),
      });
    const [first, again] = [await confirm(), await confirm()];
    expect([first.status, again.text]).toEqual([200, first.text]);
    expect(await ordersOf(ada.customer)).toBe(before + 1);
  });

  test.each([
    ['503', { status: 503, raw: '{"error":{"message":"overloaded"}}' }],
    ['garbage', { raw: '<html>not a model</html>' }],
    ['an answer of another shape', { raw: '{"ok":true}' }],
    ['silence', { delayMs: 4000, text: 'late' }],
  ])(
    'a model that answers %s is made good by the built-in assistant, and what was said is kept',
    async (_name, step) => {
      world.model.play(() => step);
      const session = await world.session(ada.token, prefix);
      const { status, body } = await world.say(ada.token, 'What is my balance?', session, prefix);
      expect([status, body.assistant]).toEqual([200, 'rules']);
      expect(body.reply).toMatch(/^The language model does not answer.*built-in assistant.*GB of/);
      const kept = await world.request('GET', `${prefix}/sessions/${session}`, ada.token);
      expect(kept.body.turns).toMatchObject([
        { role: 'person', text: 'What is my balance?' },
        { role: 'assistant', text: body.reply },
      ]);
    },
  );

  test('a model that fails after it acted is not asked again by rules', async () => {
    const input = { subscriptionId: ada.line, roaming: 'on' };
    world.model.play(({ step }) =>
      step === 0 ? { calls: [{ name: 'subscription-set_roaming', arguments: input }] } : { status: 500, raw: 'no' },
    );
    const { body } = await world.say(ada.token, 'Roaming on please', undefined, prefix);
    expect([body.assistant, calls(body)]).toEqual(['model', ['subscription.set_roaming']]);
    expect(body.reply).toContain('Before that I had called subscription.set_roaming');
  });

  test('what was said before is given again, fenced', async () => {
    world.model.play(() => ({ text: 'Noted.' }));
    const session = await world.session(ada.token, prefix);
    await world.say(ada.token, 'My cat is called Mo', session, prefix);
    await world.say(ada.token, 'How is my cat called?', session, prefix);
    expect(world.model.asked[1]?.heard).toMatch(/<person [\w-]+>\nMy cat is called Mo\n<\/person/);
    expect(world.model.asked[1]?.raw).toContain('Noted.');
  });
});

test('malformed arguments and unknown tools come to nothing, and are written down', async () => {
  const before = await world.audited();
  world.model.play(({ step }) =>
    step === 0
      ? {
          calls: [
            { name: 'subscription-show', arguments: '{"subscriptionId": ' },
            { name: 'subscription-show', arguments: '[1, 2]' },
            { name: 'rm-rf', arguments: {} },
            { name: '__proto__', arguments: {} },
          ],
        }
      : { text: 'I could not.' },
  );
  const { status, body } = await world.say(ada.token, 'Hello');
  expect([status, body.reply]).toEqual([200, 'I could not.']);
  expect((await world.audited()) - before).toBeGreaterThanOrEqual(3);
});

test('an emoji at every cut loses no turn', async () => {
  // What was asked is cut at 200 for the interaction, arguments at 2000, the name of a tool at 120.
  const long = `${'x'.repeat(199)}😀`;
  world.model.play(({ step }) =>
    step === 0
      ? {
          calls: [{ name: 'subscription-list', arguments: { more: `${'y'.repeat(2000 - '{"more":"'.length - 1)}😀` } }],
        }
      : { text: 'Done.' },
  );
  expect((await world.say(ada.token, long)).status).toBe(200);
  world.model.play(({ step }) =>
    step === 0
      ? {
          calls: [`${'n'.repeat(119)}😀`, 'a\0b', 'half \ud83d'].map((name) => ({
            name: 'tools-call',
            arguments: { name, arguments: {} },
          })),
        }
      : { text: 'Done.' },
  );
  const typed = await world.say('air_operator', 'Hello');
  expect([typed.status, calls(typed.body)]).toEqual([200, ['n'.repeat(119), 'a b', 'half \ufffd']]);
  // The case of a fraud has the first thousand of what was said, and a ticket eighty of it as its name.
  const fraud = await world.say(ada.token, `somebody made a SIM swap ${'x'.repeat(999 - 25)}😀 and more`);
  expect([fraud.status, isJsonObject(fraud.body.case)]).toEqual([200, true]);
  const told = `report: no signal ${'x'.repeat(79 - 18)}😀`;
  expect((await world.say(ada.token, told, undefined, '/rules-chat')).body.reply).toContain('ticket tck_');
});

describe('without a model', () => {
  const ask = async (text: string, who: Somebody = ada) =>
    (await world.say(who.token, text, undefined, '/rules-chat')).body;

  test.each([
    ['How much data is left?', /30 GB|data .* of/, ['subscription.list']],
    ['When does my line renew?', /renews on .* for SGD 25\.00/, ['subscription.list']],
    ['Which plans are there?', /Lite \(PLAN_S\), SGD 10\.00/, ['offering.list']],
    ['Show me my receipts', /0000\d+ of .*SGD/, ['bill.list']],
    ['Please switch roaming off', /switched off/, ['subscription.list', 'subscription.set_roaming']],
    ['report: there is no signal since noon', /ticket tck_/, ['ticket.open']],
    ['sing me a song', /built-in assistant/, []],
  ])('%s', async (text, reply, tools) => {
    const body = await ask(text);
    expect(body.reply).toMatch(reply);
    expect([body.assistant, calls(body)]).toEqual(['rules', tools]);
    expect(body.reply).toContain('I am the built-in assistant');
  });

  const roamingOf = async (who: Somebody) =>
    (
      await world.rows<{ on: boolean }>('SELECT "roaming_enabled" AS on FROM "subscription" WHERE "id" = $1', [
        who.line,
      ])
    )[0]?.on;

  test.each([
    ['switch on my roaming', true],
    ['cancel roaming on my line', false],
    ['Can you turn roaming on, please?', true],
    ['switch roaming on my line off', false],
    ['Roaming on please', true],
    ['deactivate roaming', false],
    ['enable roaming on 65', true],
    ['Stop roaming now', false],
  ])('“%s” switches roaming, at once: %s', async (text, isOn) => {
    expect(calls(await ask(text))).toEqual(['subscription.list', 'subscription.set_roaming']);
    expect(await roamingOf(ada)).toBe(isOn);
  });

  test.each([
    'Is roaming on?',
    'is roaming on',
    'Don’t switch roaming on',
    'Please do not turn roaming on',
    'Can I switch roaming on?',
    'How do I turn roaming on',
    'Switch roaming on?',
    'Switch roaming on when I land',
    'Why was roaming switched on my line',
    'Switch roaming',
    'I never activated roaming',
  ])('“%s” changes nothing, and says how it is', async (text) => {
    for (const roaming of ['off', 'on'] as const) {
      await ask(`switch roaming ${roaming}`);
      const body = await ask(text);
      expect(body.reply).toContain(`Roaming of ${ada.msisdn} is ${roaming}. Nothing was changed`);
      expect(calls(body)).toEqual(['subscription.list', 'subscription.show']);
      expect(await roamingOf(ada)).toBe(roaming === 'on');
    }
  });

  test('a change that waits is withdrawn when that is told, and by no question', async () => {
    const eva = await world.somebody('Eva Goh');
    const confirmed = async (text: string) => {
      const [proposal] = proposals(await ask(text, eva));
      const { tool, arguments: input } = proposal ?? {};
      const done = await world.request('POST', `/tools/${String(tool)}`, eva.token, input, {
        'confirmation-token': tokenOf(proposal),
      });
      expect(done.status).toBe(200);
    };
    const writes = async (text: string) => calls(await ask(text, eva)).filter((tool) => /withdraw/.test(String(tool)));
    await confirmed('change to PLAN_L');
    for (const text of [
      'Can I keep my number if I change plan?',
      'How do I undo the plan change?',
      'Can I withdraw the change of my plan?',
      'do not call off my plan change',
      'Does my plan keep its price when I change my line?',
    ])
      expect(await writes(text)).toEqual([]);
    expect((await ask('Can I undo my plan change?', eva)).reply).toMatch(
      /goes on\. Its plan becomes .*Nothing was changed/,
    );
    expect(await writes('call off the plan change on my line')).toEqual(['subscription.withdraw_plan_change']);
    await confirmed('change to PLAN_L');
    expect(await writes('Please keep my plan')).toEqual(['subscription.withdraw_plan_change']);
    await confirmed('end my line');
    expect(await writes('Could I call off the end of my line?')).toEqual([]);
    expect((await ask('can I undo the end?', eva)).reply).toContain('ends on');
    expect(await writes('Keep my line')).toEqual(['subscription.withdraw_end']);
  });

  test.each([
    ['Top up 1 GB', 'subscription.top_up', 'VAS_DATA_1GB'],
    ['buy a day pass', 'subscription.top_up', 'VAS_DAY_PASS'],
    ['add 100 sms', 'subscription.top_up', 'VAS_SMS_100'],
    ['top up roaming 1 GB', 'subscription.top_up', 'VAS_ROAMING_1GB'],
    ['change my plan to PLAN_L', 'subscription.change_plan', 'PLAN_L'],
    ['change to Lite', 'subscription.change_plan', 'PLAN_S'],
  ])('%s proposes %s of %s', async (text, tool, offering) => {
    const [proposal] = proposals(await ask(text));
    expect(proposal).toMatchObject({ tool, arguments: { offering } });
  });

  test('the end of a line is proposed, done when it is confirmed, and called off', async () => {
    const [proposal] = proposals(await ask('please end my line', ben));
    expect(proposal).toMatchObject({ tool: 'subscription.end', arguments: { when: 'boundary' } });
    const input = isJsonObject(proposal?.arguments) ? proposal.arguments : {};
    const done = await world.request('POST', '/tools/subscription.end', ben.token, input, {
      'confirmation-token': tokenOf(proposal),
    });
    expect(done.status).toBe(200);
    expect((await ask('call off the end of my line', ben)).reply).toContain('Your line goes on.');
  });

  test('an operator is helped with the business', async () => {
    const say = async (text: string) => (await world.say('air_operator', text, undefined, '/rules-chat')).body;
    expect((await say('what happened today')).reply).toMatch(/customers/);
    expect((await say('find Ben Tan')).reply).toContain(ben.customer);
    expect((await say(`show ${ben.line}`)).reply).toContain(ben.msisdn);
    expect((await say('rules top_up')).reply).toContain('subscription.top_up_needs_live_line');
    // A dispute that an operator speaks of is their work and no case.
    expect((await say('rules about a refund')).case).toBeUndefined();
  });
});

const words: readonly (readonly [string, string])[] = [
  ['fraud', 'I think somebody made a SIM swap on my number'],
  ['fraud', 'There is a charge I did not make: my card was stolen'],
  ['billingDispute', 'You charged me twice, I want my money back'],
  ['billingDispute', 'I want to dispute the last bill'],
  ['regulatorComplaint', 'I will complain to the regulator, the IMDA'],
  ['identityRecovery', 'I am locked out and cannot log in any more'],
  ['bereavement', 'My father passed away last week, this was his number'],
  ['person', 'Can I talk to a real person please'],
];

test.each(words)(
  '%s: “%s” opens a case with the hash of what was said, and nothing else happens',
  async (category, text) => {
    expect(escalationIn(text)).toBe(category);
    world.model.play(() => ({
      calls: [{ name: 'subscription-set_roaming', arguments: { subscriptionId: ada.line, roaming: 'off' } }],
    }));
    const session = await world.session(ada.token);
    world.model.play(() => ({ text: 'Hello Ada.' }));
    await world.say(ada.token, 'Hello', session);
    const before = await world.fingerprint(['trouble_ticket']);
    world.model.play(() => ({ text: 'Never asked.' }));
    const { body } = await world.say(ada.token, text, session);
    const id = isJsonObject(body.case) ? String(body.case.id) : '';
    expect([body.toolCalls, body.proposals, world.model.asked.length]).toEqual([[], [], 0]);
    expect(body.reply).toContain(id);
    expect(await world.fingerprint(['trouble_ticket'])).toBe(before);
    const { turns } = (await world.request('GET', `/chat/sessions/${session}`, ada.token)).body;
    const said = (Array.isArray(turns) ? turns.filter(isJsonObject) : []).slice(0, 3);
    const hash = transcriptHash(
      said.map(({ role, text: one, at }) => ({
        role: role === 'person' ? 'person' : 'assistant',
        text: String(one),
        at: String(at),
      })),
    );
    const tickets = await world.rows<{ id: string; document: JsonObject }>(
      `SELECT "id", "document" FROM "trouble_ticket" WHERE "customer_id" = $1 ORDER BY "id" DESC LIMIT 1`,
      [ada.customer],
    );
    expect(tickets[0]?.id).toBe(id);
    expect(tickets[0]?.document).toMatchObject({ ticketType: 'case', description: expect.stringContaining(hash) });
  },
);

test.each([
  'How do I top up my plan?',
  'I lost 2 GB of data yesterday, how much is left?',
  'Can a friend use my phone as a hotspot?',
  'What does a bill look like?',
  'My phone died, does the eSIM move to the next?',
])('“%s” is an assistant’s to answer', (text) => {
  expect(escalationIn(text)).toBeUndefined();
});

test('who works on a case reads what was said, and what it cost', async () => {
  world.model.play(() => ({ text: 'Hello.' }));
  const session = await world.session(ben.token);
  await world.say(ben.token, 'Hello', session);
  const { body } = await world.say(ben.token, 'I want to talk to a human', session);
  const shown = await world.request('POST', '/tools/conversation.show', 'air_operator', { conversationId: session });
  expect(shown.body.result).toMatchObject({
    customer: { id: ben.customer, name: 'Ben Tan' },
    turns: [
      {
        person: 'Hello',
        reply: 'Hello.',
        assistant: 'model',
        model: 'scripted',
        tokens: { input: 100, output: 20 },
        costMicros: 60_000,
      },
      { caseId: isJsonObject(body.case) ? body.case.id : '', transcriptHash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ],
  });
  const listed = await world.request('POST', '/tools/conversation.list', 'air_operator', { customerId: ben.customer });
  expect(listed.text).toContain(session);
  for (const tool of ['conversation.show', 'conversation.list'])
    expect((await world.request('POST', `/tools/${tool}`, ben.token, { conversationId: session })).status).toBe(404);
});

describe('the door', () => {
  test('lists one’s own conversations, the last one first, and nobody else’s', async () => {
    world.model.play(() => ({ text: 'Hello.' }));
    const [one, two] = [await world.session(ben.token), await world.session(ben.token)];
    await world.say(ben.token, 'First words', one);
    const { body } = await world.request('GET', '/chat/sessions', ben.token);
    const items = Array.isArray(body.items) ? body.items.filter(isJsonObject) : [];
    expect(items.find(({ id }) => id === one)).toMatchObject({ title: 'First words', startedAt: expect.any(String) });
    expect(items.map(({ id }) => id)).toContain(two);
    const theirs = await world.request('GET', '/chat/sessions', ada.token);
    expect(theirs.text).not.toContain(one);
    for (const path of [`/chat/sessions/${one}`, '/chat/sessions/chs_none'])
      expect((await world.request('GET', path, ada.token)).status).toBe(404);
  });

  test.each([
    ['POST', '/chat/sessions', { more: 1 }, 400],
    ['POST', '/chat/sessions', '{', 400],
    ['DELETE', '/chat/sessions', undefined, 405],
    ['GET', '/chat/nothing', undefined, 404],
    ['GET', '/chat/sessions/chs_none', undefined, 404],
    ['POST', '/chat/sessions/chs_none/turns', { text: 'Hello' }, 404],
    ['POST', '/chat/sessions/chs_none/turns', { text: '' }, 400],
    ['POST', '/chat/sessions/chs_none/turns', { text: 'x'.repeat(5000) }, 400],
    ['POST', '/chat/sessions/chs_none/turns', { text: 'x', role: 'system' }, 400],
    ['POST', '/chat/sessions/chs_none/turns', { text: 'x'.repeat(40_000) }, 413],
    ['POST', '/chat/sessions/chs_none/turns', { text: 'my card is 4111 1111 1111 1111' }, 422],
  ])('%s %s with %o is %d, as a TMF Error', async (method, path, body, status) => {
    const answer = await world.request(method, path, ada.token, body);
    expect([answer.status, answer.body]).toEqual([
      status,
      expect.objectContaining({ '@type': 'Error', code: String(status) }),
    ]);
  });

  test('wants a token, and one that opens a tool', async () => {
    world.tokens.set('air_toolless', {
      audience: 'integrator',
      id: 'tok_toolless',
      name: 'Toolless',
      surface: 'tmf',
      scopes: ['tmf:*'],
    });
    expect((await world.request('GET', '/chat/sessions', 'air_nobody')).status).toBe(401);
    expect((await world.request('GET', '/chat/sessions', 'air_toolless')).status).toBe(403);
    // The audit has it of this door, whoever asked.
    await world.audited();
    const refused = await world.rows<{ door: string; operation: string; status: number }>(
      `SELECT DISTINCT "door", "operation", "status" FROM "refusal" WHERE "status" IN (401, 403) ORDER BY "status"`,
    );
    expect(refused).toEqual([
      { door: 'chat', operation: 'chatSessions', status: 401 },
      { door: 'chat', operation: 'chatSessions', status: 403 },
    ]);
  });

  test('streams the same turn', async () => {
    world.model.play(({ step }) =>
      step === 0 ? { calls: [{ name: 'subscription-list', arguments: {} }] } : { text: 'Done.' },
    );
    const session = await world.session(ada.token);
    const { status, text } = await world.request(
      'POST',
      `/chat/sessions/${session}/turns`,
      ada.token,
      { text: 'Hi' },
      { accept: 'text/event-stream' },
    );
    expect([status, text.split('\n\n')[0]]).toEqual([200, 'event: tool\ndata: {"tool":"subscription.list"}']);
    expect(text).toContain('event: turn\ndata: {"reply":"Done.","assistant":"model"');
  });

  test('a turn past the hour’s cap is refused with when to come again, and the month’s cost leaves the built-in assistant', async () => {
    world.model.play(() => ({ text: 'Hello.' }));
    const eve = await world.somebody('Eve Ng');
    const session = await world.session(eve.token);
    await world.say(eve.token, 'One', session);
    const refused = await world.withSettings({ chatTurnsPerHour: 1 }, () => world.say(eve.token, 'Two', session));
    expect([refused.status, refused.body.reason]).toEqual([409, 'chat.turns_per_hour']);
    const spent = await world.withSettings({ chatCostPerMonth: 0 }, () => world.say(eve.token, 'Three', session));
    expect([spent.status, spent.body.assistant, world.model.asked.length]).toEqual([200, 'rules', 1]);
  });
});
