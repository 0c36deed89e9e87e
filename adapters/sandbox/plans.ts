/**
 * Faults that a sandbox was told to have. A plan lives until it was used `times` times, or until plans are cleared;
 * the sandbox writes both to its own book, so a fault survives a restart of the sandbox.
 */
export type Planned<Plan> = Plan & {
  id: string;
  /** Uses left; absent when the plan has no limit. */
  left?: number;
};

export interface Plans<Plan extends { times?: number | undefined }> {
  add(id: string, plan: Plan): void;
  /** The oldest plan that matches, without using it up. */
  match(wanted: (plan: Plan) => boolean): Planned<Plan> | undefined;
  use(id: string): void;
  list(): Planned<Plan>[];
  clear(): void;
}

export function createPlans<Plan extends { times?: number | undefined }>(): Plans<Plan> {
  const plans = new Map<string, Planned<Plan>>();
  return {
    add(id, plan) {
      plans.set(id, plan.times === undefined ? { ...plan, id } : { ...plan, id, left: plan.times });
    },
    match(wanted) {
      for (const plan of plans.values()) if (wanted(plan)) return plan;
      return undefined;
    },
    use(id) {
      const plan = plans.get(id);
      if (plan?.left === undefined) return;
      if (plan.left <= 1) plans.delete(id);
      else plans.set(id, { ...plan, left: plan.left - 1 });
    },
    list: () => [...plans.values()],
    clear: () => plans.clear(),
  };
}
