import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF677. What lines have used of their allowances, asked as a task and answered at once. */
export const tmf677 = (commands: CommandsFor): HandlersOf<'TMF677'> => standard('TMF677', commands);
