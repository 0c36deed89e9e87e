import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF638. Services as an inventory. The same services as in TMF640. */
export const tmf638 = (commands: CommandsFor): HandlersOf<'TMF638'> => standard('TMF638', commands);
