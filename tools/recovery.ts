/** The verb that shows what an id names, by its prefix: `ord_…` is shown by `order show`. */
export function showVerbOf(id: string): string | undefined {
  return showVerbs[/^([a-z]+)_[0-9a-z]+$/.exec(id)?.[1] ?? ''];
}

const showVerbs: Readonly<Record<string, string>> = {
  cus: 'customer show',
  sub: 'subscription show',
  ord: 'order show',
  bil: 'bill show',
};

/** What mends a broken rule, where looking at the facts does not already say it; as it is typed. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /requires_card_on_file$|card_not_expired$|card\.not_expired$|not_last_of_live_line$/,
    'bss card add <customer-id> <token>',
  ],
  [/offering_(known|sellable|has_terms)$/, 'bss offering list'],
  [/unpaid_needs_period$/, 'bss subscription top-up <subscription-id> VAS_PERIOD'],
  [/wished_number_available$|^number\./, 'bss number list'],
  [/^esim\./, 'bss esim list'],
  [/customer_known$|^customer\.email/, 'bss customer list'],
  [/^clock\./, 'bss clock show'],
];

/**
 * What to type after a refusal, best first and without repeats. Nothing is checked against the tools that a caller has.
 * @param facts the facts of the refusal as text; an id among them is shown by its own verb.
 * @param noun as typed, of the tool that was refused: `trouble-ticket`.
 */
export function afterRefusal(status: number, reason: string, facts: readonly string[], noun: string): string[] {
  const remedy = remedies.find(([pattern]) => pattern.test(reason))?.[1];
  const looks = facts.flatMap((value) => {
    const shows = showVerbOf(value);
    // What is not known cannot be shown.
    return shows === undefined || status === 404 || /_known$/.test(reason) ? [] : [`bss ${shows} ${value}`];
  });
  return [
    ...new Set([...(remedy === undefined ? [] : [remedy]), ...looks, ...(status === 404 ? [`bss ${noun} list`] : [])]),
  ];
}
