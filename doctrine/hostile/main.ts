import { playAll } from './play-all.ts';
import { attacks } from './run.ts';

process.exitCode = await playAll(attacks);
