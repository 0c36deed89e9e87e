/** A state machine as a table: (state, event) -> state. What is not in the table does not happen. */
export interface Machine<State extends string, Event extends string> {
  readonly name: string;
  readonly initial: readonly State[];
  readonly table: Readonly<Partial<Record<State, Partial<Record<Event, State>>>>>;
}

export function machine<State extends string, Event extends string>(
  definition: Machine<State, Event>,
): Machine<State, Event> {
  return definition;
}

/** The state that follows, or undefined when the table has none. */
export function next<State extends string, Event extends string>(
  of: Machine<State, Event>,
  state: string | null,
  event: Event,
): State | undefined {
  const row = Object.entries<Partial<Record<Event, State>> | undefined>(of.table).find(([name]) => name === state)?.[1];
  return row?.[event];
}

/** The same for a caller that must not be wrong: a missing transition is a defect. */
export function must<State extends string, Event extends string>(
  of: Machine<State, Event>,
  state: string | null,
  event: Event,
): State {
  const to = next(of, state, event);
  if (to === undefined) throw new Error(`${of.name}: no transition from ${state} on ${event}`);
  return to;
}

/** Whether some event of those given leads from one state to the other: how a wire PATCH of a state is judged. */
export function leads<State extends string, Event extends string>(
  of: Machine<State, Event>,
  from: string,
  to: string,
  events?: readonly Event[],
): boolean {
  const row = Object.entries<Partial<Record<Event, State>> | undefined>(of.table).find(([name]) => name === from)?.[1];
  if (!row) return false;
  return Object.entries<State | undefined>(row).some(
    ([event, state]) => state === to && (events === undefined || events.some((one) => one === event)),
  );
}
