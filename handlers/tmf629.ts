import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF629. Customers. One without a contact medium is `initialized`. */
export const tmf629 = (commands: CommandsFor): HandlersOf<'TMF629'> => standard('TMF629', commands);
