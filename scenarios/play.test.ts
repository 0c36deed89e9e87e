import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Json } from '../kernel/json.ts';
import type { Doors } from './doors.ts';
import { type Outside, play, StepFailed } from './play.ts';
import { readScenario } from './scenario.ts';
import { failure, nobody } from './tell.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'airtime-play-'));
  mkdirSync(join(folder, 'parts'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function scenario(steps: string, part?: string) {
  const indented = (text: string) => text.replace(/^/gm, '  ');
  writeFileSync(join(folder, 'a.yaml'), `title: T\nstory: S\nsteps:\n${indented(steps)}\n`);
  if (part !== undefined) writeFileSync(join(folder, 'parts', 'some-part.yaml'), `steps:\n${indented(part)}\n`);
  return readScenario(join(folder, 'a.yaml'));
}

/** Doors that answer what they are told to, one after another, the last one for ever, and remember what was asked. */
function doorsThat(answers: readonly { status: number; answer: Json }[]): {
  doors: Doors;
  asked: [string, Json | undefined][];
} {
  const asked: [string, Json | undefined][] = [];
  const next = (request: string, body?: Json) => {
    asked.push([request, body]);
    const { status, answer } = answers[Math.min(asked.length, answers.length) - 1] ?? { status: 200, answer: null };
    return { request, body, status, answer };
  };
  const doors: Doors = {
    url: 'http://nowhere',
    http: async (method, path, body) => next(`${method} ${path}`, body),
    chat: () => Promise.reject(new Error('nobody talks here')),
    tool: async (name, input) => next(name, input),
    bss: async (args) => {
      const { status, answer } = next(`bss ${args.join(' ')}`);
      return { code: status, out: JSON.stringify(answer), error: JSON.stringify(answer) };
    },
    drawn: async () => ({ code: 0, out: '', error: '' }),
  };
  return { doors, asked };
}

function outside(): Outside {
  let at = Date.UTC(2026, 0, 1);
  return {
    now: () => new Date(at),
    pause: async (milliseconds) => {
      at += milliseconds;
    },
    unique: 'u1',
  };
}

async function failed(play: Promise<number>): Promise<StepFailed> {
  const error = await play.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof StepFailed)) throw new Error(`expected a step to fail, found ${String(error)}`);
  return error;
}

describe('playing', () => {
  test('fills in what was saved, number and list as they are', async () => {
    const { doors, asked } = doorsThat([{ status: 201, answer: { id: 'cus_1', list: [1, 2], count: 3 } }]);
    const told = scenario(`- when: one signs up
  post: TMF629 customer
  body: { name: 'A \${unique}' }
  save: { customer: id, list: list, count: count }
  expect: { id: cus_1 }
- then: it is there
  tool: customer.show
  input: { customerId: '\${customer}', list: '\${list}', text: 'no. \${count}' }`);
    expect(await play(told, doors, nobody, outside())).toBe(2);
    expect(asked).toEqual([
      ['POST /tmf-api/customerManagement/v4/customer', { name: 'A u1' }],
      ['customer.show', { customerId: 'cus_1', list: [1, 2], text: 'no. 3' }],
    ]);
  });

  test('a part has names of its own and gives back what is asked of it', async () => {
    const { doors, asked } = doorsThat([{ status: 200, answer: { id: 'x' } }]);
    const told = scenario(
      `- given: a part, twice
  play: some-part
  with: { name: Ada }
  save: { first: made }
- and: again
  play: some-part
  with: { name: Bo }
  save: { second: made }
- then: both are known, and nothing of the part's own
  tool: t
  input: { both: '\${first}\${second}\${made}' }`,
      `- when: it is made
  tool: make
  input: { name: '\${name}', unique: '\${unique}' }
  save: { made: id }`,
    );
    const error = await failed(play(told, doors, nobody, outside()));
    expect(error.faults).toEqual(['nothing was saved as made']);
    expect(asked.map(([, body]) => body)).toEqual([
      { name: 'Ada', unique: 'u1p1' },
      { name: 'Bo', unique: 'u1p2' },
    ]);
  });

  test('waits until it is so, and not for ever', async () => {
    const waits = scenario(`- then: it completes
  get: TMF622 productOrder/ord_1
  wait_until: { state: completed }`);
    const slow = doorsThat([
      { status: 200, answer: { state: 'acknowledged' } },
      { status: 200, answer: { state: 'inProgress' } },
      { status: 200, answer: { state: 'completed' } },
    ]);
    expect(await play(waits, slow.doors, nobody, outside())).toBe(1);
    expect(slow.asked).toHaveLength(3);
    const never = doorsThat([{ status: 200, answer: { state: 'held' } }]);
    expect((await failed(play(waits, never.doors, nobody, outside()))).faults).toEqual([
      'state: expected "completed", found "held"',
    ]);
  });
});

describe('a step fails', () => {
  const one = (step: string) => scenario(`- when: it is tried\n${step.replace(/^/gm, '  ')}`);

  test.each([
    [
      'when the answer is no success',
      'get: TMF637 product/1\nexpect: {}',
      { status: 500, answer: null },
      'status: expected success, found 500',
    ],
    [
      'when another status was expected',
      'get: TMF637 product/1\nstatus: 404',
      { status: 200, answer: null },
      'status: expected 404, found 200',
    ],
    [
      'when a refusal did not come',
      'tool: t\nrefused: a.rule',
      { status: 200, answer: null },
      'expected a refusal, found status 200',
    ],
    [
      'when another rule refused',
      'tool: t\nrefused: a.rule',
      { status: 409, answer: { reason: 'b.rule' } },
      'reason: expected "a.rule", found "b.rule"',
    ],
    [
      'when a failure of the server looks like a refusal',
      'tool: t\nrefused: a.rule',
      { status: 500, answer: { reason: 'a.rule' } },
      'expected a refusal, found status 500',
    ],
    [
      'when a command line ends badly',
      'bss: t\nexpect: {}',
      { status: 1, answer: {} },
      'exit code: expected success, found 1',
    ],
    [
      'when what it saves is not there',
      'tool: t\nexpect: {}\nsave: { it: id }',
      { status: 200, answer: {} },
      'id: nothing to save as it',
    ],
  ])('%s', async (_, step, answer, fault) => {
    const error = await failed(play(one(step), doorsThat([answer]).doors, nobody, outside()));
    expect(error.faults).toContain(fault);
  });

  test('and says where, what was asked and what came back', async () => {
    const told = one('post: TMF622 productOrder\nbody: { name: x }\nexpect: { state: acknowledged }');
    const error = await failed(
      play(told, doorsThat([{ status: 201, answer: { state: 'rejected' } }]).doors, nobody, outside()),
    );
    expect(failure(told, error, undefined)).toBe(`Failed: T (${join(folder, 'a.yaml')})
  step     when it is tried
  wrong    state: expected "acknowledged", found "rejected"
  request  POST /tmf-api/productOrderingManagement/v4/productOrder {"name":"x"}
  answer   201 {"state":"rejected"}
`);
  });
});

describe('a file is refused', () => {
  test.each([
    ['with a key that is not known', '- when: x\n  tool: t\n  expects: { a: 1 }', 'Unrecognized key'],
    ['with two actions in a step', '- when: x\n  tool: t\n  get: TMF637 product/1\n  status: 200', 'does one thing'],
    ['with a step that says nothing', '- tool: t\n  status: 200', 'says what it is'],
    ['with a step that does nothing', '- when: x', 'does or shows something'],
    ['with an expectation of nothing', '- when: x\n  expect: { a: 1 }', 'no answer to judge'],
    ['when it expects nothing at all', '- when: x\n  tool: t', 'expects nothing proves nothing'],
    ['when it waits on a write', '- when: x\n  post: TMF629 customer\n  wait_until: { a: 1 }', 'asked again'],
  ])('%s', (_, steps, message) => {
    expect(() => scenario(steps)).toThrow(message);
  });
});
