import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF676. Payments and refunds, under two base paths that answer alike. They are asked for and never changed. */
export const tmf676 = (commands: CommandsFor): HandlersOf<'TMF676'> => standard('TMF676', commands);
