import { billOnDemandSteps } from './bill/on-demand.ts';
import type { StepDefinition } from './core/flow.ts';
import { networkSteps } from './network/steps.ts';
import { noticeSteps } from './notice/steps.ts';
import { cancelProductOrderStep } from './order/cancel.ts';
import { endSteps } from './order/end.ts';
import { orderSteps } from './order/steps.ts';
import { gatewayEventSteps } from './payment/gateway-event.ts';
import { refundSteps } from './payment/refund.ts';
import { cancelServiceOrderStep } from './service-order/commands.ts';
import { esimSteps } from './subscription/esim.ts';
import { subscriptionSteps } from './subscription/steps.ts';

/** Everything that happens without a caller. */
export const steps: readonly StepDefinition[] = [
  ...orderSteps,
  ...endSteps,
  ...networkSteps,
  ...subscriptionSteps,
  ...noticeSteps,
  ...esimSteps,
  cancelServiceOrderStep,
  cancelProductOrderStep,
  ...refundSteps,
  ...gatewayEventSteps,
  ...billOnDemandSteps,
];
