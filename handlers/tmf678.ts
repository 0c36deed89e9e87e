import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF678. Bills, which are receipts of what was paid, and their rates. Nothing here creates money owed. */
export const tmf678 = (commands: CommandsFor): HandlersOf<'TMF678'> => standard('TMF678', commands);
