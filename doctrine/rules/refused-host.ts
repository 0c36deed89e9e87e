/** A host that the outside of the world of rules will not call. */
export const refusedHost = 'refused.example.com';
