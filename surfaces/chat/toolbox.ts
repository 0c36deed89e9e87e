import { findCardSecret } from '../../kernel/card-number.ts';
import { type AirtimeError, invalid } from '../../kernel/error.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { cutText, keepableText } from '../../kernel/text.ts';
import type { AgentTool } from '../../tools/agent-door.ts';
import { type CalledTool, escalations } from '../../tools/conversations.ts';
import { fenced, refusal } from '../../tools/told.ts';
import { answersSecret, describedTool, everydayOf, finders, foundTools, listed } from '../../tools/toolsets.ts';
import { withoutSecrets } from './outbound.ts';
import { type ChatGuard, type ChatLimits, type ChatParts, chatLimits, type Speaker } from './parts.ts';

/** What a person is asked to confirm, with the token that does it. No part of it but the proposal was before a model. */
export interface Proposed {
  tool: string;
  arguments: JsonObject;
  proposal: JsonObject;
  confirmation: { token: string; expiresAt: string };
}

/** A tool as a model is offered it. */
export interface OfferedTool {
  readonly name: string;
  readonly description: string;
  readonly input: JsonObject;
}

/** What came of a call, as an assistant is told it. */
export interface Called {
  outcome: 'done' | 'proposed' | 'refused';
  /** For a model. */
  told: string;
  /** For the built-in assistant, which is ours. */
  result?: unknown;
  error?: JsonObject;
  proposal?: JsonObject;
}

/**
 * The tools of one turn. Every call of an assistant passes here, one after the other, and is written down: which tool,
 * what came of it. Money and destruction end here as a proposal; its token goes to the person and no further.
 */
export interface Toolbox {
  offered(): Promise<OfferedTool[]>;
  call(name: string, input: unknown): Promise<Called>;
  /** A call that never reached a tool: one that there is not, or arguments that are no JSON. */
  refuse(name: string, code: string): void;
  readonly calls: CalledTool[];
  readonly proposals: Proposed[];
  /** The kind of case that the model asked a person for. Nothing is done after it. */
  readonly escalation: string | undefined;
  /** No more calls are carried out. */
  close(): void;
}

/** Beside what answers with a secret: an activation code is for the customer's own screen. */
const forScreens: ReadonlySet<string> = new Set(['esim.show']);

const escalateTool: OfferedTool = {
  name: 'escalate',
  description:
    'Hand the conversation over to a person: fraud, billing dispute, complaint to a regulator, recovery of an identity, bereavement, or a wish for a person. It ends your turn.',
  input: {
    type: 'object',
    properties: { category: { type: 'string', enum: Object.keys(escalations) } },
    required: ['category'],
    additionalProperties: false,
  },
};

const argumentsMax = 2000;

export function toolboxOf(
  parts: ChatParts,
  { caller, door }: Speaker,
  onCall: (tool: string) => void = () => undefined,
): Toolbox {
  const limits: ChatLimits = { ...chatLimits, ...parts.limits };
  const stands = (guard: ChatGuard): boolean => parts.guardsOff?.has(guard) !== true;
  const isCustomer = caller.audience === 'customer';
  const calls: CalledTool[] = [];
  const proposals: Proposed[] = [];
  let escalation: string | undefined;
  let isClosed = false;
  let count = 0;
  let last: Promise<unknown> = Promise.resolve();

  const isForModels = (name: string) => !stands('chat.model_tools') || !(answersSecret(name) || forScreens.has(name));
  const own = async (): Promise<AgentTool[]> => (await door.list()).tools.filter(({ name }) => isForModels(name));

  const note = (tool: string, outcome: CalledTool['outcome'], input: unknown, reason?: string): void => {
    // Past the limit a count is enough: the audit has one line for all that were alike.
    if (calls.length >= 100) return;
    // A card number is kept nowhere, not even in the record of an attempt to send one.
    const isSecret = findCardSecret(input ?? {}, { aboutPaying: true }) !== undefined;
    calls.push({
      tool: keepableText(cutText(tool, 120)),
      outcome,
      ...(reason === undefined ? {} : { reason: keepableText(cutText(reason, 120)) }),
      arguments: isSecret
        ? '(a card number)'
        : keepableText(cutText(withoutSecrets(JSON.stringify(input ?? {})), argumentsMax)),
    });
  };
  const attempt = (tool: string, status: number, code: string): void => parts.onAttempt(caller, { tool, status, code });
  const tell = (value: unknown): string => {
    const whole = stands('chat.fence') ? fenced(value) : JSON.stringify(value ?? null);
    if (whole.length <= limits.toldMax) return whole;
    const cut = cutText(JSON.stringify(value ?? null), limits.toldMax);
    return stands('chat.fence') ? fenced({ beginning: cut, note: 'The answer was longer: ask for less.' }) : cut;
  };
  const refused = (tool: string, input: unknown, status: number, error: JsonObject): Called => {
    note(tool, 'refused', input, typeof error.reason === 'string' ? error.reason : String(status));
    const given = isJsonObject(input) ? input : {};
    return {
      outcome: 'refused',
      error,
      told: stands('chat.fence') ? refusal(tool, given, status, error) : JSON.stringify(error),
    };
  };
  const noTool = (name: string) => ({
    reason: 'notFound',
    message: `There is no tool ${name.slice(0, 120)}.`,
    facts: { tool: name.slice(0, 120) },
  });

  /** What a tool's schema does not name is refused before it is tried: nothing of it could be meant for a tool. */
  function unknownArgument(tool: AgentTool, input: JsonObject): AirtimeError | undefined {
    if (!stands('chat.known_arguments')) return undefined;
    const names = isJsonObject(tool.input.properties) ? tool.input.properties : {};
    const unknown = Object.keys(input).find((name) => !Object.hasOwn(names, name));
    return unknown === undefined
      ? undefined
      : invalid(`${tool.name} takes no ${unknown.slice(0, 60)}.`, [
          { field: unknown.slice(0, 60), rule: 'is not an input of this tool', remedy: 'Leave it out.' },
        ]);
  }

  async function callOne(name: string, input: unknown): Promise<Called> {
    if (isClosed) return { outcome: 'refused', told: 'This turn has ended.' };
    count += 1;
    if (count > limits.callsMax && stands('chat.calls')) {
      attempt('chat', 429, 'chat.calls_in_turn');
      return refused(name, input, 429, {
        reason: 'chat.calls_in_turn',
        message: `A turn calls at most ${limits.callsMax} tools. Answer with what you know.`,
      });
    }
    if (!isJsonObject(input)) {
      attempt('chat', 400, 'chat.arguments_are_an_object');
      return refused(name, {}, 400, { reason: 'invalid', message: 'Arguments are a JSON object.' });
    }
    if (name === 'escalate' && isCustomer) return handOver(input);
    if (name === 'tools.find' && !isCustomer)
      return inspect(name, input, { items: foundTools(await own(), input.search) });
    if (name === 'tools.call' && !isCustomer)
      return callTool(String(input.name), isJsonObject(input.arguments) ? input.arguments : {});
    if (name === 'tools.describe' && !isCustomer) {
      const tool = (await own()).find((one) => one.name === input.name);
      return tool ? inspect(name, input, describedTool(tool)) : refused(name, input, 404, noTool(String(input.name)));
    }
    return callTool(name, input);
  }

  function inspect(name: string, input: JsonObject, result: unknown): Called {
    note(name, 'done', input);
    return { outcome: 'done', told: tell(result), result };
  }

  function handOver(input: JsonObject): Called {
    const category = typeof input.category === 'string' ? input.category : 'person';
    note('escalate', 'done', { category: cutText(category, 60) });
    escalation = category;
    isClosed = stands('chat.escalation_ends');
    return { outcome: 'done', told: 'A person takes over. Your turn has ended.' };
  }

  async function callTool(name: string, input: JsonObject): Promise<Called> {
    const tool = (await own()).find((one) => one.name === name);
    if (!tool) {
      attempt('chat', 404, 'chat.tool_known');
      return refused(name, input, 404, noTool(name));
    }
    onCall(name);
    const unknown = unknownArgument(tool, input);
    if (unknown) {
      attempt(name, 400, 'chat.argument_known');
      return refused(name, input, 400, {
        reason: unknown.reason,
        message: unknown.message,
        fault: unknown.faults.map((fault) => ({ ...fault })),
      });
    }
    const answer = await door.call(name, input);
    switch (answer.outcome) {
      case 'done':
        note(name, 'done', input);
        return { outcome: 'done', told: tell(answer.result), result: answer.result };
      case 'refused':
        return refused(name, input, answer.status, answer.error);
      case 'unreachable':
        return refused(name, input, 503, { reason: 'unavailable', message: answer.message });
      case 'proposed': {
        if (proposals.length >= limits.proposalsMax && stands('chat.proposals')) {
          attempt(name, 429, 'chat.proposals_in_turn');
          return refused(name, input, 429, {
            reason: 'chat.proposals_in_turn',
            message: `A person is asked at most ${limits.proposalsMax} things at once.`,
          });
        }
        note(name, 'proposed', input);
        const { proposal, token, expiresAt = '' } = answer;
        proposals.push({ tool: name, arguments: input, proposal, confirmation: { token, expiresAt } });
        const { what = '', amount = null, details = [] } = proposal;
        const shown = { proposed: what, amount: isJsonObject(amount) ? (amount.text ?? null) : null, details };
        return {
          outcome: 'proposed',
          proposal,
          told: `Proposed to the person, who sees it with its price and confirms it themselves. Nothing was done yet, and you cannot confirm it.\n${tell(shown)}`,
        };
      }
    }
  }

  return {
    calls,
    proposals,
    get escalation() {
      return escalation;
    },
    async offered() {
      const { audience } = await door.list();
      const tools = await own();
      const shown = (isCustomer ? tools : everydayOf(audience, tools)).map((tool) => {
        const { name, description, inputSchema } = listed(tool);
        return { name, description, input: inputSchema };
      });
      const more = isCustomer
        ? [escalateTool]
        : finders.map(({ name, description, inputSchema }) => ({ name, description, input: inputSchema }));
      return [...shown, ...more];
    },
    call(name, input) {
      // A model may call many at once; they are done one after the other, so that an end is an end.
      const next = last.then(() => callOne(name, input));
      last = next.catch(() => undefined);
      return next;
    },
    refuse(name, code) {
      attempt('chat', 400, code);
      note(name, 'refused', {}, code);
    },
    close() {
      isClosed = true;
    },
  };
}
