import { playAll } from '../hostile/play-all.ts';
import { probes } from './probes.ts';

process.exitCode = await playAll(probes);
