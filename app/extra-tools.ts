import { z } from 'zod';
import type { SandboxCardGateway } from '../adapters/sandbox/card-gateway/sandbox-card-gateway.ts';
import { cardGatewayPlan } from '../adapters/sandbox/card-gateway/wire.ts';
import type { SandboxNetwork } from '../adapters/sandbox/network/sandbox-network.ts';
import { networkPlan } from '../adapters/sandbox/network/wire.ts';
import type { MachineClock } from '../kernel/clock.ts';
import { invalid } from '../kernel/error.ts';
import type { JsonObject } from '../kernel/json.ts';
import { clockNeedsSandboxes, clockNeverGoesBack } from '../policy/clock/commands.ts';
import type { Policy } from '../policy/core/command.ts';
import type { Tool, ToolDescriptor } from '../tools/registry.ts';
import { advanceClock } from '../workers/clock-mover.ts';
import type { Worker } from '../workers/worker.ts';

interface Parts {
  policy: Policy;
  worker: Worker;
  clock: MachineClock;
  gateway: SandboxCardGateway;
  network: SandboxNetwork;
}

function tool<Input>(
  about: Pick<ToolDescriptor, 'name' | 'summary' | 'effect' | 'examples' | 'positional'> & { rules?: ToolDescriptor['rules']; view?: string },
  input: z.ZodType<Input>,
  run: (input: Input, caller: Parameters<Tool['run']>[1]) => Promise<unknown>,
): Tool {
  return {
    descriptor: {
      rules: [],
      ...about,
      audience: ['operator'],
      input: z.toJSONSchema(input, { io: 'input' }) as JsonObject,
      output: { type: 'object', additionalProperties: true },
    },
    run(raw, caller) {
      const parsed = input.safeParse(raw);
      if (!parsed.success) {
        const faults = parsed.error.issues.map((issue) => ({ field: issue.path.join('.') || 'input', rule: issue.message, remedy: `See the input of ${about.name}.` }));
        throw invalid(`${about.name}: ${faults.map((fault) => `${fault.field}: ${fault.rule}`).join('; ')}.`, faults);
      }
      return run(parsed.data, caller);
    },
  };
}

const advanceInput = z.object({
  to: z.iso.datetime({ offset: true }).optional().describe('The instant to move to'),
  days: z.number().positive().max(3660).optional().describe('How many days to move'),
  hours: z.number().positive().max(87_840).optional().describe('How many hours to move'),
});

/** Tools that workers carry out, or that only a sandbox has. */
export function extraTools(parts: Parts): Tool[] {
  const { policy, worker, clock, gateway, network } = parts;
  return [
    tool(
      {
        name: 'clock.advance',
        summary: 'Move business time forward, running what falls due on the way',
        effect: 'write',
        positional: [],
        examples: ['bss clock advance --days 31', 'bss clock advance --to 2027-01-01T00:00:00Z'],
        rules: [clockNeedsSandboxes, clockNeverGoesBack].map(({ code, sentence }) => ({ code, sentence })),
      },
      advanceInput,
      async (input, caller) => {
        const given = [input.to, input.days, input.hours].filter((value) => value !== undefined);
        if (given.length !== 1) throw invalid('clock.advance: say one of to, days or hours.', [{ field: 'to', rule: 'exactly one of to, days, hours', remedy: 'Give --to, --days or --hours.' }]);
        const { rows } = await policy.pool.query<{ now: Date }>('SELECT business_now() AS now');
        const now = rows[0]?.now ?? clock.now();
        const milliseconds = (input.days ?? 0) * 86_400_000 + (input.hours ?? 0) * 3_600_000;
        const to = input.to === undefined ? new Date(now.getTime() + milliseconds) : new Date(input.to);
        return advanceClock(policy, worker, clock, to, caller);
      },
    ),
    tool(
      {
        name: 'network.plan_fault',
        summary: 'Tell the sandbox network to fail, refuse or stall',
        effect: 'write',
        positional: ['mode'],
        examples: ['bss network plan-fault refuse --times 1'],
      },
      networkPlan,
      (input) => network.plan(input),
    ),
    tool(
      {
        name: 'card_gateway.plan_fault',
        summary: 'Tell the sandbox card gateway to fail, decline or stall',
        effect: 'write',
        positional: ['mode'],
        examples: ['bss card-gateway plan-fault decline_capture --times 1'],
      },
      cardGatewayPlan,
      (input) => gateway.plan(input),
    ),
    tool(
      { name: 'sandbox.clear_faults', summary: 'Forget all planned faults of both sandboxes', effect: 'write', positional: [], examples: ['bss sandbox clear-faults'] },
      z.object({}),
      async () => {
        await gateway.clearPlans();
        await network.clearPlans();
        return { cleared: true };
      },
    ),
  ];
}
