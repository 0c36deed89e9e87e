import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { type ScriptedModel, scriptedModel } from '../surfaces/chat/testing-model.ts';

export const modelName = 'soak-scripted-1';

/** What a person says carries a number, by which the model, and whoever counts, knows the turn. */
export const markerOf = (turn: number): string => `#t${turn}.`;
export const turnIn = (text: string): number | undefined => {
  const found = [...text.matchAll(/#t(\d+)\./g)].at(-1)?.[1];
  return found === undefined ? undefined : Number(found);
};

export interface TestModel {
  readonly url: string;
  /** In this turn the model calls this tool first. */
  willCall(turn: number, name: string, input: JsonObject): void;
  /** In this turn the model's endpoint is broken. */
  willFail(turn: number): void;
  /** What a tool told the model in a turn. */
  toldIn(turn: number): string | undefined;
  /** Tokens that the model said it counted in a turn. */
  spentIn(turn: number): { input: number; output: number } | undefined;
  failures(): number;
  close(): Promise<void>;
}

/** The text of what a person said last, and whether a tool has answered since. */
function lastOf(raw: string): { said: string; told: string | undefined } {
  const body: unknown = JSON.parse(raw);
  const messages = isJsonObject(body) && Array.isArray(body.messages) ? body.messages.filter(isJsonObject) : [];
  const said = messages.findLast(({ role }) => role === 'user');
  const last = messages.at(-1);
  return {
    said: JSON.stringify(said?.content ?? ''),
    told: last?.role === 'tool' ? JSON.stringify(last.content ?? '') : undefined,
  };
}

/** An OpenAI-compatible endpoint on loopback that does in each turn what the plan says, and counts what it spends. */
export async function openTestModel(): Promise<TestModel> {
  const model: ScriptedModel = await scriptedModel();
  const calls = new Map<number, { name: string; input: JsonObject }>();
  const broken = new Set<number>();
  const told = new Map<number, string>();
  const spent = new Map<number, { input: number; output: number }>();
  let failed = 0;
  model.play(({ raw }) => {
    // What it was sent is looked at here and not kept: a soak asks for long.
    model.asked.length = 0;
    model.said.length = 0;
    model.keys.length = 0;
    const last = lastOf(raw);
    const turn = turnIn(last.said) ?? 0;
    if (broken.has(turn)) {
      failed += 1;
      return { status: 400, raw: JSON.stringify({ error: { message: 'out of order' } }) };
    }
    const usage = { input: 80 + (raw.length % 40), output: 12 };
    const before = spent.get(turn) ?? { input: 0, output: 0 };
    spent.set(turn, { input: before.input + usage.input, output: before.output + usage.output });
    const call = calls.get(turn);
    if (last.told !== undefined) {
      told.set(turn, last.told);
      return { text: 'I have looked: see what is above.', usage };
    }
    return call === undefined
      ? { text: 'Gladly. What would you like to know?', usage }
      : { calls: [{ name: call.name, arguments: call.input }], usage };
  });
  return {
    url: model.url,
    willCall: (turn, name, input) => void calls.set(turn, { name, input }),
    willFail: (turn) => void broken.add(turn),
    toldIn: (turn) => told.get(turn),
    spentIn: (turn) => spent.get(turn),
    failures: () => failed,
    close: () => model.close(),
  };
}
