import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { profileOf } from '../tools/profile.ts';
import type { ToolDescriptor } from '../tools/registry.ts';
import { everydayOf, finders, listed } from '../tools/toolsets.ts';

/** Whoever drives an agent: the list that its model is shown unasked stays light for each of them. */
export const profiles = ['operator', 'customer', 'integrator'] as const;

export interface ProfileWeight {
  /** What the agent is shown unasked, in order; the rest it finds. */
  readonly listed: readonly string[];
  /** Tokens of that list as it goes over the wire, counted with o200k_base. */
  readonly tokens: number;
}

export function weighedProfiles(
  tools: readonly ToolDescriptor[],
): Readonly<Record<(typeof profiles)[number], ProfileWeight>> {
  const weigh = (audience: (typeof profiles)[number]): ProfileWeight => {
    const shown = [...everydayOf(audience, profileOf(tools, audience)).map(listed), ...finders];
    return { listed: shown.map(({ name }) => name), tokens: encode(JSON.stringify(shown)).length };
  };
  return { operator: weigh('operator'), customer: weigh('customer'), integrator: weigh('integrator') };
}
