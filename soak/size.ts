import { kinds, type Minimums } from './gates.ts';

/** How large a run is: how long, in which steps, and what must have happened for it to say anything. */
export interface Size {
  readonly name: 'whole' | 'short';
  readonly customers: number;
  /** Days that are stepped hour by hour. */
  readonly hourlyDays: number;
  /** Hours of a step after those. */
  readonly laterHours: number;
  /** Renewals that every customer who pays is to have. */
  readonly renewals: number;
  /** Days over which people sign up. */
  readonly signUpDays: number;
  readonly minimums: Minimums;
}

const whole: Minimums = {
  customers: 30,
  signUps: 30,
  declinedCards: 6,
  usages: 5000,
  streamedUsages: 3000,
  duplicates: 100,
  lateUsages: 300,
  outOfOrderUsages: 300,
  topUps: 60,
  renewals: 60,
  dashboards: 100,
  chats: 300,
  modelChats: 100,
  rulesChats: 100,
  escalations: 10,
  faults: 100,
  kills: 10,
  killsUnderWay: 10,
  probes: 200,
  probesTmf: 30,
  probesTools: 30,
  probesTerminal: 30,
  probesChat: 30,
  probesMcp: 30,
  probesPages: 30,
  answersScanned: 1000,
  scannedTools: 100,
  scannedTerminal: 30,
  scannedChat: 100,
  scannedMcp: 30,
  scannedPages: 100,
  scannedMail: 100,
  ownSeen: 1000,
  acknowledged: 5000,
  readBack: 5000,
  invariantLooks: 336,
  wholeLooks: 14,
  memorySamples: 30,
};

const short: Minimums = {
  customers: 4,
  signUps: 4,
  declinedCards: 1,
  usages: 300,
  streamedUsages: 150,
  duplicates: 10,
  lateUsages: 20,
  outOfOrderUsages: 20,
  topUps: 4,
  renewals: 4,
  dashboards: 8,
  chats: 24,
  modelChats: 8,
  rulesChats: 8,
  escalations: 2,
  faults: 8,
  kills: 3,
  killsUnderWay: 3,
  probes: 30,
  probesTmf: 5,
  probesTools: 5,
  probesTerminal: 3,
  probesChat: 5,
  probesMcp: 5,
  probesPages: 5,
  answersScanned: 80,
  scannedTools: 10,
  scannedTerminal: 3,
  scannedChat: 10,
  scannedMcp: 5,
  scannedPages: 10,
  scannedMail: 10,
  ownSeen: 80,
  acknowledged: 300,
  readBack: 300,
  invariantLooks: 24,
  wholeLooks: 3,
  memorySamples: 6,
};

/** Minimums grow with the number of customers, where what they count does. */
const steady: ReadonlySet<string> = new Set([
  'kills',
  'killsUnderWay',
  'invariantLooks',
  'wholeLooks',
  'memorySamples',
]);

export function sizeOf(given: { short: boolean; customers?: number | undefined }): Size {
  const [minimums, usual] = given.short ? [short, 4] : [whole, 30];
  const customers = given.customers ?? usual;
  const scaled = { ...minimums };
  for (const kind of kinds) if (!steady.has(kind)) scaled[kind] = Math.ceil((minimums[kind] * customers) / usual);
  return given.short
    ? { name: 'short', customers, hourlyDays: 1, laterHours: 48, renewals: 1, signUpDays: 0.5, minimums: scaled }
    : { name: 'whole', customers, hourlyDays: 14, laterHours: 12, renewals: 2, signUpDays: 5, minimums: scaled };
}
