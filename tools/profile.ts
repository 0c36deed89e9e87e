import type { Audience } from '../kernel/caller.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';

interface Described {
  readonly audience: readonly Audience[];
  readonly input: JsonObject;
  readonly positional: readonly string[];
}

/** The tools that a profile has, as it sees them: a filter over all there are. */
export function profileOf<T extends Described>(tools: readonly T[], audience: Audience): T[] {
  const own = tools.filter((tool) => tool.audience.includes(audience));
  return audience === 'customer' ? own.map(withoutOwner) : own;
}

// ---- a customer's own tools ----

export const ownerField = 'customerId';

export function hasOwnerField(tool: Pick<Described, 'input'>): boolean {
  return isJsonObject(tool.input.properties) && Object.hasOwn(tool.input.properties, ownerField);
}

/** The session says who asks: a customer is not shown the input that would name somebody. */
export function withoutOwner<T extends Described>(tool: T): T {
  if (!hasOwnerField(tool) || !isJsonObject(tool.input.properties)) return tool;
  const { [ownerField]: _, ...properties } = tool.input.properties;
  const { required } = tool.input;
  return {
    ...tool,
    input: {
      ...tool.input,
      properties,
      ...(Array.isArray(required) ? { required: required.filter((name) => name !== ownerField) } : {}),
    },
    positional: tool.positional.filter((name) => name !== ownerField),
  };
}
