import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF637. Products that customers own, which are their subscriptions. To create one is to place an order. */
export const tmf637 = (commands: CommandsFor): HandlersOf<'TMF637'> => standard('TMF637', commands);
