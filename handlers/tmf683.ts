import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF683. Interactions with customers: what was said, when, by which channel. */
export const tmf683 = (commands: CommandsFor): HandlersOf<'TMF683'> => standard('TMF683', commands);
