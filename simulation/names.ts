import { steps } from '../policy/steps.ts';

/** Each step of the house by its name: `order.capture`. */
export const stepNames: readonly string[] = steps.map(({ flow, step }) => `${flow}.${step}`);
