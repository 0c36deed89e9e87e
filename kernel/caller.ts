/** Who may use a tool. `system` is the house itself: flow steps and clocks. It is never offered to a caller. */
export const audiences = ['operator', 'customer', 'integrator', 'system'] as const;
export type Audience = (typeof audiences)[number];

export const surfaces = ['tmf', 'tools', 'cli', 'mcp', 'chat', 'portal', 'worker', 'start'] as const;
export type Surface = (typeof surfaces)[number];

/**
 * Who is asking, by which door. It travels with the work to the last step of a flow and stands in every event.
 * `customerId` is set only for a customer's own session.
 */
export interface Caller {
  audience: Audience;
  id: string;
  name: string;
  surface: Surface;
  scopes: readonly string[];
  customerId?: string;
  requestId?: string;
}

export const systemCaller = (name: string): Caller => ({
  audience: 'system',
  id: 'system',
  name,
  surface: 'worker',
  scopes: ['*'],
});
