import { type CommandsFor, type HandlersOf, standard } from './generic.ts';

/** TMF622. Product orders. One that breaks a buying rule is stored and answered `rejected`, its rule in `note`. */
export const tmf622 = (commands: CommandsFor): HandlersOf<'TMF622'> => standard('TMF622', commands);
