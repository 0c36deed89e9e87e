import { paymentMethodCommands } from './card/commands.ts';
import {
  catalogCommands,
  categoryCommands,
  productOfferingCommands,
  productOfferingPriceCommands,
  productSpecificationCommands,
} from './catalogue/commands.ts';
import type { AnyDefinition } from './core/command.ts';
import { customerCommands } from './customer/commands.ts';
import { interactionCommands } from './interaction/commands.ts';
import { productOrderCommands } from './order/commands.ts';
import { paymentCommands } from './payment/commands.ts';
import { usageCommands } from './usage/commands.ts';

export interface WireCommands {
  readonly create?: AnyDefinition;
  readonly patch?: AnyDefinition;
  readonly remove?: AnyDefinition;
}

/** What a TMF client may do to each resource. What is not here is not offered. */
export const resourceCommandsFor: Readonly<Record<string, WireCommands>> = {
  catalog: catalogCommands,
  category: categoryCommands,
  customer: customerCommands,
  partyInteraction: interactionCommands,
  payment: paymentCommands,
  paymentMethod: paymentMethodCommands,
  productOffering: productOfferingCommands,
  productOfferingPrice: productOfferingPriceCommands,
  productOrder: productOrderCommands,
  productSpecification: productSpecificationCommands,
  usage: usageCommands,
};
