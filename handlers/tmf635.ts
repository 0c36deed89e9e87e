import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF635. Usage. A record that cannot be charged is stored `rejected` with its reason; the same record counts once. */
export const tmf635 = (commands: CommandsFor): HandlersOf<'TMF635'> => standard('TMF635', commands);
