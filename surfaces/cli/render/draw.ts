import { isJsonObject } from '../../../kernel/json.ts';
import type { ViewName } from '../../../read/views/query.ts';
import type { Verb } from '../descriptors.ts';
import { billCard, billTable } from './bill.ts';
import { clockCard } from './clock.ts';
import { customerCard, customerTable } from './customer-card.ts';
import { dashboard } from './dashboard.ts';
import { esimCard } from './esim-card.ts';
import { drawAnything } from './generic.ts';
import { healthCard } from './health.ts';
import { orderPipeline, orderTable } from './order-pipeline.ts';
import { plainValue } from './plain.ts';
import { drawPriceList } from './price-list.ts';
import { drawRules } from './rules.ts';
import { stepTable } from './steps.ts';
import { drawStock } from './stock.ts';
import { subscriptionCard, subscriptionTable } from './subscription-card.ts';
import { clamp, type Style } from './text.ts';
import { eventTable, timeline } from './timeline.ts';
import { usageChart } from './usage-chart.ts';

type Picture = (answer: unknown, style: Style) => string;

// The server checked the answer against the schema that this type is made from; a server of another version may have
// another, and then the picture fails and the answer is drawn as it is.
function picture<View>(drawView: (view: View, style: Style) => string): Picture {
  return (answer, style) => drawView(answer as View, style);
}

const pictures: Readonly<Record<ViewName, Picture>> = {
  'customer-card': picture(customerCard),
  'customer-list': picture(customerTable),
  'subscription-card': picture(subscriptionCard),
  'subscription-list': picture(subscriptionTable),
  'order-pipeline': picture(orderPipeline),
  'order-list': picture(orderTable),
  'price-list': picture(drawPriceList),
  'usage-chart': picture(usageChart),
  timeline: picture(timeline),
  'event-list': picture(eventTable),
  clock: picture(clockCard),
  'step-list': picture(stepTable),
  stock: picture(drawStock),
  bill: picture(billCard),
  'bill-list': picture(billTable),
  'rule-list': picture(drawRules),
  health: picture(healthCard),
  dashboard: picture(dashboard),
  'esim-card': picture(esimCard),
};

/** The answer of a verb as a picture for people. Whatever people wrote is made harmless before anything is drawn. */
export function draw(verb: Pick<Verb, 'noun' | 'verb' | 'view'>, answer: unknown, style: Style): string {
  const harmless = plainValue(answer);
  const found = Object.entries(pictures).find(([name]) => name === verb.view)?.[1];
  return fitted(found ? pictured(found, verb, harmless, style) : withAddress(verb, harmless, style), style);
}

function pictured(found: Picture, verb: Pick<Verb, 'noun' | 'verb'>, harmless: unknown, style: Style): string {
  try {
    return found(harmless, style);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return drawAnything(verb, harmless, style);
  }
}

/** An address that is to be opened stands below, whole and unframed: it could not be clicked or copied otherwise. */
function withAddress(verb: Pick<Verb, 'noun' | 'verb'>, harmless: unknown, style: Style): string {
  if (!isJsonObject(harmless) || typeof harmless.url !== 'string' || !address.test(harmless.url)) {
    return drawAnything(verb, harmless, style);
  }
  const { url, ...rest } = harmless;
  return `${drawAnything(verb, rest, style)}${url}\n`;
}

const address = /^https?:\/\/\S+$/;

/** Nothing is wider than the terminal but a command and an address, which could not be used if they were cut. */
function fitted(text: string, style: Style): string {
  return text
    .split('\n')
    .map((line) => (/(^|\W|\dm)bss /.test(line) || address.test(line) ? line : clamp(line, style.width)))
    .join('\n');
}
