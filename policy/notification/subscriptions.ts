/** Judges what a subscriber asks for, before it is stored. */
export interface Subscriptions {
  /** Why an address may not be called, as the end of a sentence; undefined when it may. Looks its name up. */
  callbackRefusal(callback: string): Promise<string | undefined>;
  /** @throws AirtimeError 400 or 501 for a filter that cannot be understood. */
  checkQuery(query: string): void;
}
