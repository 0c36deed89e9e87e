import { catalogueJobSteps } from '../policy/catalogue/jobs.ts';
import { steps } from '../policy/steps.ts';

const nowhere = { read: async () => '', write: async () => undefined };

/** Each step of the house by its name: `order.capture`. */
export const stepNames: readonly string[] = [...steps, ...catalogueJobSteps({ files: nowhere, publicUrl: '' })].map(
  ({ flow, step }) => `${flow}.${step}`,
);
