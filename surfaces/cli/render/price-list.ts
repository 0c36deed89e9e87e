import type { PriceList } from '../../../tools/offering-list.ts';
import { paintOf } from './paint.ts';
import { type Column, table } from './table.ts';
import type { Style } from './text.ts';
import { lengthOf } from './time.ts';

type Offering = PriceList['items'][number];

const secondsInHour = 3600;

function allowance(kind: string): (offering: Offering) => string {
  return (offering) => {
    const found = offering.allowances.find((one) => one.kind === kind);
    return found === undefined ? '-' : found.text;
  };
}

function price(offering: Offering): string {
  if (offering.price === null) return offering.kind === 'period' ? "the line's price" : '';
  return offering.isMonthly ? `${offering.price.text} / month` : offering.price.text;
}

/** Plans, add-ons and the rest as a price list. */
export function drawPriceList(view: PriceList, style: Style): string {
  const paint = paintOf(style.color);
  const plans = view.items.filter((offering) => offering.kind === 'plan');
  const addOns = view.items.filter((offering) => offering.kind === 'vas' || offering.kind === 'period');
  const others = view.items.filter((offering) => offering.kind === null);
  const head: Column<Offering>[] = [
    {
      title: 'code',
      value: (offering) => offering.code ?? offering.id,
      paint: (text, offering) => (offering.isOnSale ? paint.accent(text) : paint.quiet(text)),
    },
    { title: 'name', value: (offering) => offering.name, min: 6, drop: 3 },
    { title: 'price', value: price, align: 'right', paint: paint.strong },
  ];
  const state: Column<Offering> = {
    title: 'state',
    value: (offering) => (offering.isOnSale ? '' : `not on sale (${offering.state ?? 'no state'})`),
    min: 11,
  };
  const planColumns: Column<Offering>[] = [
    ...head,
    { title: 'data', value: allowance('data'), align: 'right' },
    { title: 'voice', value: allowance('voice'), align: 'right', drop: 1 },
    { title: 'SMS', value: allowance('sms'), align: 'right', drop: 1 },
    { title: 'roaming', value: allowance('roaming_data'), align: 'right', drop: 2 },
    state,
  ];
  const addOnColumns: Column<Offering>[] = [
    ...head,
    {
      title: 'gives',
      value: (offering) => (offering.kind === 'period' ? 'a new period now' : offering.allowances.map(gift).join(', ')),
      min: 8,
    },
    {
      title: 'lasts',
      value: (offering) => (offering.validityHours === null ? '' : lengthOf(offering.validityHours * secondsInHour)),
      align: 'right',
      drop: 1,
    },
    state,
  ];
  const otherColumns: Column<Offering>[] = [
    ...head,
    state,
    { title: 'cannot be sold', value: (offering) => offering.fault ?? '', min: 10 },
  ];
  const sections = [
    plans.length > 0 ? `${paint.strong('Plans')}\n${table(planColumns, plans, style, '')}` : '',
    addOns.length > 0 ? `${paint.strong('Add-ons')}\n${table(addOnColumns, addOns, style, '')}` : '',
    others.length > 0 ? `${paint.strong('Others')}\n${table(otherColumns, others, style, '')}` : '',
  ].filter(Boolean);
  return sections.length === 0 ? `${paint.quiet('Nothing is on sale.')}\n` : sections.join('\n');
}

const giftNames: Readonly<Record<string, string>> = { data: 'data', voice: 'voice', roaming_data: 'roaming data' };

function gift(allowance: Offering['allowances'][number]): string {
  const name = giftNames[allowance.kind];
  return name === undefined ? allowance.text : `${allowance.text} ${name}`;
}
