import type { Verb } from '../descriptors.ts';
import { drawAnything } from './generic.ts';
import { plainValue, type Style } from './text.ts';

/** The answer of a verb as a picture for people. Whatever people wrote is made harmless before anything is drawn. */
export function draw(verb: Pick<Verb, 'noun' | 'verb' | 'view'>, answer: unknown, style: Style): string {
  return drawAnything(verb, plainValue(answer), style);
}
