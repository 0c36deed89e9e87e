import type { Answer, World } from './world.ts';

/**
 * Breaks one rule by a request at a public door. It is played twice, each time from a fresh start: with the rule on it
 * must be refused by just that rule, and with the rule off by anything but.
 */
export type Case = (world: World) => Promise<Answer>;
