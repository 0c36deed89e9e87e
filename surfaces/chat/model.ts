import type { ModelMessage, ToolSet } from 'ai';
import type { BegunTurn } from '../../tools/conversations.ts';
import { fencedPerson, instructionsFor } from './instructions.ts';
import { type ChatGuard, type ChatLimits, type ChatModel, type ChatParts, chatLimits, type Speaker } from './parts.ts';
import type { Toolbox } from './toolbox.ts';

export interface ModelAnswer {
  /** Undefined when the model failed; the tools that it called before that were called. */
  reply: string | undefined;
  inputTokens: number;
  outputTokens: number;
}

// Our names have a dot, which the endpoints do not take.
const toWire = (name: string): string => name.replaceAll('.', '-');
const fromWire = (name: string): string => name.replaceAll('-', '.');

/** Some four characters are a token. Whoever does not count has not answered for nothing. */
const tokensOf = (text: string): number => Math.ceil(text.length / 4);

/** Lets a model answer, with the tools of the turn, for so many steps and so long. Never throws for what the model did. */
export async function askModel(
  parts: ChatParts,
  model: ChatModel,
  speaker: Speaker,
  begun: Pick<BegunTurn, 'before'>,
  text: string,
  toolbox: Toolbox,
): Promise<ModelAnswer> {
  const limits: ChatLimits = { ...chatLimits, ...parts.limits };
  const stands = (guard: ChatGuard): boolean => parts.guardsOff?.has(guard) !== true;
  const person = (words: string): string => (stands('chat.fence') ? fencedPerson(words) : words);
  const answer: ModelAnswer = { reply: undefined, inputTokens: 0, outputTokens: 0 };
  const system = instructionsFor(speaker.caller);
  const messages: ModelMessage[] = [
    ...begun.before.map(
      ({ role, text: said }): ModelMessage =>
        role === 'person' ? { role: 'user', content: person(said) } : { role: 'assistant', content: said },
    ),
    { role: 'user', content: person(text) },
  ];
  try {
    const [{ generateText, jsonSchema, stepCountIs, tool }, opened, offered] = await Promise.all([
      import('ai'),
      model.open(),
      toolbox.offered(),
    ]);
    // Without a prototype: the library looks a name up in it, and `constructor` is no tool.
    const tools: ToolSet = Object.assign(
      Object.create(null),
      Object.fromEntries(
        offered.map(({ name, description, input }) => [
          toWire(name),
          tool({
            description,
            inputSchema: jsonSchema<object>({ ...input, type: 'object' }),
            execute: async (given) => (await toolbox.call(name, given)).told,
          }),
        ]),
      ),
    );
    const result = await generateText({
      model: opened,
      system,
      messages,
      tools,
      maxRetries: 0,
      maxOutputTokens: limits.outputTokensMax,
      stopWhen: [
        stepCountIs(stands('chat.steps') ? limits.stepsMax : 1000),
        // Nothing follows a hand-over, not even an answer.
        () => toolbox.escalation !== undefined,
      ],
      ...(stands('chat.timeout') ? { abortSignal: AbortSignal.timeout(limits.turnMsMax) } : {}),
      onStepFinish: ({ usage, text: said, toolCalls }) => {
        answer.inputTokens += usage.inputTokens ?? tokensOf(system + JSON.stringify(messages));
        answer.outputTokens += usage.outputTokens ?? tokensOf(said + JSON.stringify(toolCalls));
        for (const call of toolCalls) {
          if (call.invalid !== true) continue;
          const name = fromWire(call.toolName);
          const isKnown = offered.some((one) => one.name === name);
          toolbox.refuse(isKnown ? name : 'unknown', isKnown ? 'chat.arguments_are_json' : 'chat.tool_known');
        }
      },
    });
    if (result.finishReason === 'tool-calls' && toolbox.escalation === undefined) {
      parts.onAttempt(speaker.caller, { tool: 'chat', status: 429, code: 'chat.steps_in_turn' });
      answer.reply = 'I did not come to an end with this. Ask for one thing at a time, or for a person.';
    } else answer.reply = result.text;
  } catch (error) {
    parts.onFailure(speaker.caller, error);
  } finally {
    toolbox.close();
  }
  return answer;
}
