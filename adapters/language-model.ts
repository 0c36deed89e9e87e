import type { LanguageModel } from 'ai';
import { checkedOrigin } from './language-model-answer.ts';

/** A language model somewhere else, as the environment names it. */
export interface ModelSettings {
  /** How its endpoint speaks. */
  readonly provider: 'openai-compatible' | 'anthropic';
  /** The base path of its API. */
  readonly url: string;
  /** Its own name for the model. */
  readonly name: string;
  readonly key: string | undefined;
  /** Bytes that one answer may have: more are not read. */
  readonly answerBytesMax: number;
}

/** Loads what speaks to the model. Nothing is asked yet; libraries come with the first conversation that wants one. */
export async function openLanguageModel(settings: ModelSettings): Promise<LanguageModel> {
  // What the library would say on the console, where only our log belongs.
  globalThis.AI_SDK_LOG_WARNINGS = false;
  const fetch = checkedOrigin(settings.answerBytesMax);
  const { provider, url: baseURL, name, key } = settings;
  if (provider === 'anthropic') {
    const { createAnthropic } = await import('@ai-sdk/anthropic');
    return createAnthropic({ baseURL, apiKey: key ?? '', fetch })(name);
  }
  const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
  return createOpenAICompatible({ name: 'model', baseURL, fetch, ...(key === undefined ? {} : { apiKey: key }) })(name);
}
