import { usageConsumptionCommands } from './balance/consumption.ts';
import { topupBalanceCommands } from './balance/topup.ts';
import { customerBillCommands } from './bill/commands.ts';
import { billOnDemandCommands } from './bill/on-demand.ts';
import { paymentMethodCommands } from './card/commands.ts';
import {
  catalogCommands,
  categoryCommands,
  productOfferingCommands,
  productOfferingPriceCommands,
  productSpecificationCommands,
} from './catalogue/commands.ts';
import { exportJobCommands, importJobCommands } from './catalogue/jobs.ts';
import type { AnyDefinition } from './core/command.ts';
import { customerCommands } from './customer/commands.ts';
import { interactionCommands } from './interaction/commands.ts';
import { cancelProductOrderCommands } from './order/cancel.ts';
import { productOrderCommands } from './order/commands.ts';
import { paymentCommands } from './payment/commands.ts';
import { refundCommands } from './payment/refund.ts';
import { serviceActivationCommands, serviceInventoryCommands } from './service/commands.ts';
import { cancelServiceOrderCommands, serviceOrderCommands } from './service-order/commands.ts';
import { productCommands } from './subscription/product-commands.ts';
import { ticketCommands } from './ticket/commands.ts';
import { usageCommands } from './usage/commands.ts';
import { usageSpecificationCommands } from './usage-specification/commands.ts';

export interface WireCommands {
  readonly create?: AnyDefinition;
  readonly patch?: AnyDefinition;
  readonly remove?: AnyDefinition;
}

/** What a TMF client may do to each resource. What is not here is not offered. */
export const resourceCommandsFor: Readonly<Record<string, WireCommands>> = {
  cancelProductOrder: cancelProductOrderCommands,
  cancelServiceOrder: cancelServiceOrderCommands,
  catalog: catalogCommands,
  category: categoryCommands,
  customer: customerCommands,
  customerBill: customerBillCommands,
  customerBillOnDemand: billOnDemandCommands,
  exportJob: exportJobCommands,
  importJob: importJobCommands,
  partyInteraction: interactionCommands,
  payment: paymentCommands,
  paymentMethod: paymentMethodCommands,
  product: productCommands,
  productOffering: productOfferingCommands,
  productOfferingPrice: productOfferingPriceCommands,
  productOrder: productOrderCommands,
  productSpecification: productSpecificationCommands,
  queryUsageConsumption: usageConsumptionCommands,
  refund: refundCommands,
  service: serviceInventoryCommands,
  serviceOrder: serviceOrderCommands,
  topupBalance: topupBalanceCommands,
  troubleTicket: ticketCommands,
  usage: usageCommands,
  usageSpecification: usageSpecificationCommands,
};

/** TMF640 offers the services of TMF638 as something to activate: the same resource, with a monitor for each task. */
export const activationCommandsFor: Readonly<Record<string, WireCommands>> = {
  ...resourceCommandsFor,
  service: serviceActivationCommands,
};
