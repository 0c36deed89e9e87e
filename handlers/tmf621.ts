import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF621. Trouble tickets, and cases, which are tickets with children. Their states move as their machine says. */
export const tmf621 = (commands: CommandsFor): HandlersOf<'TMF621'> => standard('TMF621', commands);
