import { kindName, quotaKinds } from '../../../kernel/quantity.ts';
import { listOfferings, type PriceList } from '../../../tools/offering-list.ts';
import { Heading } from '../layout.tsx';
import { page, type Route, type Visit } from '../route.ts';
import { ButtonLink, Card } from '../ui/parts.tsx';

export type Offering = PriceList['items'][number];

/** What is on sale, plans by their price, add-ons by what they add. */
export async function offeringsOf(visit: Visit, kind: 'plan' | 'vas'): Promise<readonly Offering[]> {
  const { items } = await visit.read(listOfferings, { kind });
  // What is asked for most stands first.
  return kind === 'plan' ? items : items.toSorted((a, b) => placeOf(a) - placeOf(b));
}

const placeOf = ({ allowances }: Offering): number => quotaKinds.findIndex((kind) => kind === allowances[0]?.kind);

/** What an offering gives, in the order in which people read it; what it does not give is said too. */
export function Allowances({ offering }: { offering: Offering }) {
  return (
    <ul class="plan-gives">
      {quotaKinds.map((kind) => {
        const given = offering.allowances.find((one) => one.kind === kind);
        return (
          <li key={kind}>
            <span>{kindName(kind)}</span>
            {given ? (
              <strong>{given.amount === null ? 'Unlimited' : given.text}</strong>
            ) : (
              <span class="muted">
                <span aria-hidden="true">–</span>
                <span class="unseen">none</span>
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}

async function plans(visit: Visit) {
  const offerings = await offeringsOf(visit, 'plan');
  const addOns = await offeringsOf(visit, 'vas');
  return page({
    title: 'Plans',
    section: 'shop',
    width: 'wide',
    body: (
      <>
        <Heading
          title="A number in a few minutes"
          lead="Pick a plan, pay for a month, scan a code. When it is used up it stops, and you never owe anything."
        />
        <div class="plans">
          {offerings.map((offering) => (
            <Card key={offering.id} title={offering.name} class="plan">
              <p class="plan-price">
                <strong>{offering.price?.text}</strong> a month
              </p>
              <Allowances offering={offering} />
              <ButtonLink to={`/sign-up?plan=${encodeURIComponent(offering.code ?? offering.id)}`} kind="primary">
                {`Choose ${offering.name}`}
              </ButtonLink>
            </Card>
          ))}
        </div>
        <section class="section" aria-labelledby="add-ons">
          <h2 id="add-ons">When you need more</h2>
          <ul class="rows">
            {addOns.map((offering) => (
              <li key={offering.id}>
                <div class="row">
                  <span>
                    <span class="row-name">{offering.name}</span>
                    <span class="row-detail">{validity(offering)}</span>
                  </span>
                  <span class="row-end">{offering.price?.text}</span>
                </div>
              </li>
            ))}
          </ul>
        </section>
        <p class="fine">Prices include tax. You need a phone that takes an eSIM and a card to pay with.</p>
      </>
    ),
  });
}

/** How long an add-on lasts. */
export function validity({ validityHours }: Offering): string {
  if (validityHours === null) return 'until your plan renews';
  return validityHours % 24 === 0 && validityHours > 24
    ? `for ${validityHours / 24} days`
    : `for ${validityHours} hours`;
}

export const plansRoutes: readonly Route[] = [
  { method: 'GET', path: '/plans', audience: 'visitor', operation: 'plans', handle: plans },
];
