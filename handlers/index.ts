import type { Api } from '../generated/operations.ts';
import type { CommandsFor } from './generic.ts';
import { tmf620 } from './tmf620.ts';
import { tmf621 } from './tmf621.ts';
import { tmf622 } from './tmf622.ts';
import { tmf629 } from './tmf629.ts';
import { tmf635 } from './tmf635.ts';
import { tmf637 } from './tmf637.ts';
import { tmf638 } from './tmf638.ts';
import { tmf640 } from './tmf640.ts';
import { tmf641 } from './tmf641.ts';
import { tmf654 } from './tmf654.ts';
import { tmf670 } from './tmf670.ts';
import { tmf676 } from './tmf676.ts';
import { tmf677 } from './tmf677.ts';
import { tmf678 } from './tmf678.ts';
import { tmf683 } from './tmf683.ts';
import type { ApiHandlers } from './wire.ts';

/**
 * The handlers of every API, made once from the commands that the policy layer has for each resource. TMF640 offers the
 * services of TMF638 by commands of its own.
 */
export function createHandlers(
  commands: CommandsFor,
  activationCommands: CommandsFor = commands,
): Readonly<Record<Api, ApiHandlers>> {
  return {
    TMF620: tmf620(commands),
    TMF621: tmf621(commands),
    TMF622: tmf622(commands),
    TMF629: tmf629(commands),
    TMF635: tmf635(commands),
    TMF637: tmf637(commands),
    TMF638: tmf638(commands),
    TMF640: tmf640(activationCommands),
    TMF641: tmf641(commands),
    TMF654: tmf654(commands),
    TMF670: tmf670(commands),
    TMF676: tmf676(commands),
    TMF677: tmf677(commands),
    TMF678: tmf678(commands),
    TMF683: tmf683(commands),
  };
}
