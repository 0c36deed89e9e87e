import type { StepDefinition } from './core/flow.ts';
import { networkSteps } from './network/steps.ts';
import { orderSteps } from './order/steps.ts';
import { cancelServiceOrderStep } from './service-order/commands.ts';
import { subscriptionSteps } from './subscription/steps.ts';

/** Everything that happens without a caller. */
export const steps: readonly StepDefinition[] = [
  ...orderSteps,
  ...networkSteps,
  ...subscriptionSteps,
  cancelServiceOrderStep,
];
