import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF654. Balances of lines. A top-up is an order for an add-on; what could give quota away is not served. */
export const tmf654 = (commands: CommandsFor): HandlersOf<'TMF654'> => standard('TMF654', commands);
