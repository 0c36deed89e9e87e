import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF670. Payment methods: cards by the token of the gateway. A card number is refused at the door. */
export const tmf670 = (commands: CommandsFor): HandlersOf<'TMF670'> => standard('TMF670', commands);
