import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF641. Service orders and their cancellations. */
export const tmf641 = (commands: CommandsFor): HandlersOf<'TMF641'> => standard('TMF641', commands);
