/**
 * The door to the mobile network. A task states what a line shall be, whole, never a difference, so a task that is
 * delivered twice or after a newer one does no harm.
 *
 * Rules that every network behind this door keeps, proven by `network.contract.ts`:
 * - A key names one task. The same key with the same task gets the stored answer and has no second effect; with
 *   another task it throws `RequestRefused` (`key_reused`). A refusal that is not permanent is not final: the same key
 *   may be sent again and is judged anew.
 * - Per line the highest sequence wins. A task that is not above the newest one applied changes nothing and is
 *   answered `superseded`.
 * - An answer is given only after the network has made it durable; when none is known the call throws
 *   `OutcomeUnknown`; ask `find`, or send the same task again under the same key.
 */
export interface Network {
  readonly kind: 'sandbox' | 'tmf640';

  /** Brings a line to a desired state. */
  apply(task: NetworkTask): Promise<NetworkAnswer>;

  /** The latest answer to the task with this key; `undefined` when none was given. */
  find(key: string): Promise<NetworkAnswer | undefined>;

  /** What the network believes about a line now; `undefined` when it never had it. */
  line(line: string): Promise<NetworkLine | undefined>;
}

export interface NetworkTask {
  key: string;
  /** Our id of the line (its service); a line keeps it for life. */
  line: string;
  /** Rises by the order in which we decided; a non-negative integer, unique within the line. */
  sequence: number;
  msisdn: string;
  iccid: string;
  desired: DesiredLine;
}

export const networkStates = ['inactive', 'active', 'terminated'] as const;
export type NetworkState = (typeof networkStates)[number];

/** The switches count only while the line is active; emergency calls and the top-up page are never barred by them. */
export interface DesiredLine {
  state: NetworkState;
  data: boolean;
  voice: boolean;
  sms: boolean;
  roamingData: boolean;
}

export type NetworkAnswer =
  /** The line is as desired. `confirmedAt` minus `receivedAt` is the network's own share of the lag. */
  | { outcome: 'confirmed'; line: string; sequence: number; receivedAt: Date; confirmedAt: Date }
  /** A newer task (`newestSequence`) had been applied before; nothing changed and nothing is left to do. */
  | { outcome: 'superseded'; line: string; sequence: number; newestSequence: number }
  /**
   * Nothing changed. `permanent: false`: try again later under the same key. `number_in_use` and `profile_in_use` say that
   * another line has them in the network; any other code is for people.
   */
  | { outcome: 'refused'; line: string; sequence: number; code: string; message: string; permanent: boolean };

export interface NetworkLine extends DesiredLine {
  line: string;
  msisdn: string;
  iccid: string;
  /** Of the newest task applied. */
  sequence: number;
  changedAt: Date;
}
