import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF620. Product catalogue. What stands in it is written by any integrator; what can be sold is judged when it is ordered. */
export const tmf620 = (commands: CommandsFor): HandlersOf<'TMF620'> => standard('TMF620', commands);
