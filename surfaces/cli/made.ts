import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { showVerbOf } from '../../tools/recovery.ts';
import { type Connection, callTool } from './connection.ts';
import type { Verb } from './descriptors.ts';
import { draw } from './render/draw.ts';
import type { Style } from './render/text.ts';
import type { Terminal } from './terminal.ts';

const underWay = ['acknowledged', 'inProgress'];
const failed = ['failed', 'rejected', 'cancelled', 'partial'];
const followMsMax = 5000;
const pollMs = 200;

/**
 * What a command made or changed, shown as its own verb shows it. An order is followed for a few seconds, for most are
 * over by then; one that ends without what was asked has failed. Undefined when there is nothing of that kind to show.
 */
export async function showMade(
  connection: Connection,
  verbs: readonly Verb[],
  result: unknown,
  terminal: Terminal,
  style: Style,
): Promise<{ code: 0 | 1; text: string } | undefined> {
  const id = isJsonObject(result) && typeof result.id === 'string' ? (lineCharged(result) ?? result.id) : undefined;
  const shows = id === undefined ? undefined : showVerbOf(id);
  const verb = verbs.find((one) => `${one.noun} ${one.verb}` === shows);
  const [by] = verb?.positional ?? [];
  if (id === undefined || verb === undefined || by === undefined) return undefined;
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    const answer = await callTool(connection, verb.name, { [by]: id }, terminal.fetch);
    if (answer.outcome !== 'done') return undefined;
    const state = isJsonObject(answer.result) && typeof answer.result.state === 'string' ? answer.result.state : '';
    const isOrder = verb.noun === 'order';
    const isOpen = isOrder && underWay.includes(state);
    if (isOpen && waitedMs < followMsMax && (await terminal.pause(pollMs))) continue;
    const text = draw(verb, answer.result, style);
    // One that was called off when we first looked was meant to be: `withdraw-plan-change` answers with it.
    const isMeant = state === 'cancelled' && waitedMs === 0;
    return {
      code: isOrder && failed.includes(state) && !isMeant ? 1 : 0,
      text: isOpen ? `${text}It goes on. To follow it: bss ${shows} ${id} --watch\n` : text,
    };
  }
}

/** Of a record that was charged people look at the line: what is left of it. */
function lineCharged(result: JsonObject): string | undefined {
  const rated = isJsonObject(result.document) ? result.document.ratedProductUsage : undefined;
  if (!Array.isArray(rated)) return undefined;
  return rated.flatMap((part) => {
    const line = isJsonObject(part) && isJsonObject(part.productRef) ? part.productRef.id : undefined;
    return typeof line === 'string' ? [line] : [];
  })[0];
}
