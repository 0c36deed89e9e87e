import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF640. Services as something to activate. Work that goes on after the answer is told by a monitor, with 202. */
export const tmf640 = (commands: CommandsFor): HandlersOf<'TMF640'> => standard('TMF640', commands);
