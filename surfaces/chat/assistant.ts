import { z } from 'zod';
import { formatInstant } from '../../kernel/calendar.ts';
import type { Caller } from '../../kernel/caller.ts';
import { isJsonObject } from '../../kernel/json.ts';
import { kindName } from '../../kernel/quantity.ts';
import { cutText } from '../../kernel/text.ts';
import { type LineView, lineShape } from '../../read/views/line.ts';
import { listShape, moneyShape } from '../../read/views/shapes.ts';
import { subscriptionShape } from '../../read/views/subscription.ts';
import { priceList } from '../../tools/offering-list.ts';
import type { Called, Toolbox } from './toolbox.ts';

/** It says what it is: nobody is to think that a model or a person wrote this. */
export const selfDescription = 'I am the built-in assistant: I answer by fixed rules, not with a language model.';

const forCustomers = [
  'You can ask me: how much is left, when your line renews, which plans and add-ons there are, to top up (“top up 1 GB”), to change your plan (“change to PLAN_M”), to switch roaming on or off, for your receipts, to end your line, or to report a problem (“report: no signal since noon”). Ask for a person at any time.',
];
const forOperators = [
  'You can ask me: “customer ada”, “show sub_…” (or ord_…, cus_…, bil_…), “plans”, “today”, “rules top_up”. The rest is typed: `bss --help`.',
];

const capped = 4000;

const linesShape = listShape(lineShape);
const billsShape = listShape(
  z.object({
    billNo: z.string().nullable(),
    category: z.string().nullable(),
    billedAt: z.string(),
    amount: moneyShape.nullable(),
  }),
);
const todayShape = z.object({
  day: z.string(),
  customers: z.object({ total: z.number(), today: z.number() }),
  lines: z.object({ active: z.number(), blocked: z.number() }),
  orders: z.object({ open: z.number(), completed: z.number(), failed: z.number() }),
  alarms: z.array(z.object({ sentence: z.string() })),
});
const foundShape = listShape(
  z.object({ id: z.string(), name: z.string().nullable(), email: z.string().nullable(), state: z.string().nullable() }),
);
const rulesShape = z.object({ items: z.array(z.object({ code: z.string(), sentence: z.string() })) });

interface Asked {
  readonly text: string;
  readonly plain: string;
  readonly toolbox: Toolbox;
}

interface Intent {
  readonly sign: RegExp;
  answer(asked: Asked): Promise<string>;
}

/** What a refusal or a proposal comes to in words; undefined when the call was done. */
function elsewise(called: Called): string | undefined {
  if (called.outcome === 'refused') {
    const message = called.error?.message;
    return typeof message === 'string' ? message : 'That was refused.';
  }
  if (called.outcome !== 'proposed') return undefined;
  const { what, amount, details } = called.proposal ?? {};
  return [
    typeof what === 'string' ? what : 'This has to be confirmed.',
    ...(isJsonObject(amount) && typeof amount.text === 'string' ? [`It costs ${amount.text}.`] : []),
    ...(Array.isArray(details) ? details.filter((one) => typeof one === 'string') : []),
    'Nothing was done yet: confirm it if you want it.',
  ].join(' ');
}

const at = (iso: string, timeZone: string): string => formatInstant(new Date(iso), timeZone);

type Lines = z.infer<typeof linesShape>;

async function ownLines({ toolbox }: Asked): Promise<Lines | string> {
  const called = await toolbox.call('subscription.list', {});
  return elsewise(called) ?? linesShape.parse(called.result);
}

/** The line that is meant: the only live one, or the one whose number, or its end, is written. */
async function withLine(
  asked: Asked,
  work: (line: LineView, lines: Lines) => Promise<string> | string,
): Promise<string> {
  const lines = await ownLines(asked);
  if (typeof lines === 'string') return lines;
  const live = lines.items.filter(({ state }) => state !== 'terminated');
  const figures: readonly string[] = asked.plain.match(/\d{4,15}/g) ?? [];
  const named = live.filter(({ msisdn }) => msisdn !== null && figures.some((one) => msisdn.endsWith(one)));
  const [only, ...others] = named.length > 0 ? named : live;
  if (!only) return 'You have no line that is live.';
  if (others.length > 0) {
    return `You have several lines: ${live.map(({ msisdn, plan }) => `${msisdn} (${plan.name})`).join(', ')}. Say which, by its number.`;
  }
  return work(only, lines);
}

function stateOf(line: LineView): string {
  if (line.state === 'active') return '';
  if (line.blockReasons.includes('unpaid')) return ' It is blocked, for its renewal was not paid.';
  return line.state === 'blocked'
    ? ' It is blocked, for its data is used up: a top-up brings it back.'
    : ` It is ${line.state}.`;
}

async function prices(asked: Asked, kind?: 'plan' | 'vas'): Promise<z.infer<typeof priceList>['items'] | string> {
  const called = await asked.toolbox.call('offering.list', kind ? { kind } : {});
  return elsewise(called) ?? priceList.parse(called.result).items.filter(({ isOnSale }) => isOnSale);
}

/** The offering that a text names: by its code, by its name, or by all the figures and units in its name. */
function namedIn(plain: string, items: z.infer<typeof priceList>['items']) {
  const squeezed = plain.replace(/[\s_-]/g, '');
  const matches = items.filter(({ code, name }) => {
    const codeText = (code ?? '').toLowerCase().replace(/[\s_-]/g, '');
    return (
      (codeText !== '' && squeezed.includes(codeText)) || squeezed.includes(name.toLowerCase().replace(/[\s_-]/g, ''))
    );
  });
  if (matches.length > 0) return matches[0];
  const amount = /(\d+)\s*(gb|min|sms)/.exec(plain);
  const words = ['roaming', 'day pass', 'voice', 'sms', 'data'].find((word) => plain.includes(word));
  return items.find(({ name }) => {
    const plainName = name.toLowerCase();
    const size = amount ? [`${amount[1]}${amount[2]}`, `${amount[2]}${amount[1]}`] : [''];
    const fits = size.some((one) => plainName.replace(/\s/g, '').includes(one));
    const isRoaming = plainName.includes('roaming') === plain.includes('roaming');
    return (
      (amount !== null || words !== undefined) &&
      fits &&
      isRoaming &&
      (words === undefined || plainName.includes(words) || (amount?.[2] === 'gb' && words === 'data'))
    );
  });
}

const courtesies = /^(?:(?:please|kindly|hi|hello|hey|now|just|ok|okay|and|then)\s+|(?:can|could|will|would) you\s+)+/;
const asksYou = /^(?:(?:please|hi|hello|hey)\s+)?(?:can|could|will|would) you\b/;
const otherwise =
  /n't\b|\b(?:not|dont|cannot|never|no|without|instead|if|unless|when|while|until|till|before|after|later|tomorrow|next|should|how)\b/;

/**
 * What is told to be done now, from its verb on. Undefined for a question, for what is not to be done and for what is to
 * be done in some case only: what changes something at once is not guessed.
 */
function imperative({ text, plain }: Asked): string | undefined {
  if (otherwise.test(plain) || (text.includes('?') && !asksYou.test(plain))) return undefined;
  return plain.replace(courtesies, '');
}

function roamingWanted(asked: Asked): 'on' | 'off' | undefined {
  const told = imperative(asked) ?? '';
  if (/^(?:disable|deactivate|cancel|stop)\b/.test(told)) return 'off';
  if (/^(?:enable|activate|start)\b/.test(told)) return 'on';
  const [, first] = /^(?:(?:switch|turn|set|put)|(?:my )?roaming) (on|off)\b/.exec(told) ?? [];
  if (first === 'on' || first === 'off') return first;
  if (!/^(?:switch|turn|set|put)\b/.test(told)) return undefined;
  // `on my line` is a place.
  const directions = new Set(told.match(/\b(?:on|off)\b(?! (?:my|the|this|that|line|number|\d))/g));
  const [only, ...others] = directions;
  return others.length === 0 && (only === 'on' || only === 'off') ? only : undefined;
}

const nowShape = subscriptionShape.pick({ isRoamingEnabled: true, end: true, pendingChange: true });

async function stateNow({ toolbox }: Asked, line: LineView): Promise<z.infer<typeof nowShape> | string> {
  const called = await toolbox.call('subscription.show', { subscriptionId: line.id });
  return elsewise(called) ?? nowShape.parse(called.result);
}

const customerIntents: readonly Intent[] = [
  {
    sign: /\b(?:report|problem|fault|broken|not working|doesn'?t work|does not work|no signal|no data|ticket)\b/,
    answer: async ({ text, toolbox }) => {
      const called = await toolbox.call('ticket.open', {
        name: cutText(text, 80),
        description: cutText(text, capped),
        ticketType: 'problem',
      });
      const id = isJsonObject(called.result) ? called.result.id : undefined;
      return elsewise(called) ?? `I have opened ticket ${String(id)}. A person looks at it and answers.`;
    },
  },
  {
    // More roaming data is bought, not switched.
    sign: /^(?!.*\b(?:buy|add|top[ -]?up|gb)\b)(?=.*\broaming\b).*\b(?:on|off|enabled?|disabled?|switch|turn|(?:de)?activated?|start|stop|cancel)\b/,
    answer: (asked) =>
      withLine(asked, async (line) => {
        const roaming = roamingWanted(asked);
        if (roaming === undefined) {
          const state = await stateNow(asked, line);
          if (typeof state === 'string') return state;
          return `Roaming of ${line.msisdn} is ${state.isRoamingEnabled ? 'on' : 'off'}. Nothing was changed: say “switch roaming ${state.isRoamingEnabled ? 'off' : 'on'}” if you want that.`;
        }
        const called = await asked.toolbox.call('subscription.set_roaming', { subscriptionId: line.id, roaming });
        return elsewise(called) ?? `Roaming of ${line.msisdn} is switched ${roaming}.`;
      }),
  },
  {
    sign: /^(?:please )?keep\b.*\b(?:plan|change|line)\b|\b(?:withdraw|call off|undo)\b.*\b(?:plan|change|line|end)\b/,
    answer: (asked) =>
      withLine(asked, async (line, { timeZone }) => {
        const isOfPlan = /\b(?:plan|change)\b/.test(asked.plain);
        const isOfEnd = /\b(?:end|ending)\b/.test(asked.plain) || !isOfPlan;
        if (isOfPlan === isOfEnd || !/^(?:keep|withdraw|call off|undo)\b/.test(imperative(asked) ?? '')) {
          const state = await stateNow(asked, line);
          if (typeof state === 'string') return state;
          return [
            state.end
              ? `${line.msisdn} ends on ${at(state.end.at, timeZone)}: say “call off the end of my line” if it is to go on.`
              : `${line.msisdn} goes on.`,
            state.pendingChange
              ? `Its plan becomes ${state.pendingChange.offering} when it renews: say “keep my plan” if it is not to.`
              : `Its plan stays ${line.plan.name}.`,
            'Nothing was changed.',
          ].join(' ');
        }
        const tool = isOfEnd ? 'subscription.withdraw_end' : 'subscription.withdraw_plan_change';
        const called = await asked.toolbox.call(tool, { subscriptionId: line.id });
        return elsewise(called) ?? (isOfEnd ? 'Your line goes on.' : 'Your plan stays as it is.');
      }),
  },
  {
    sign: /\b(?:end|cancel|terminate|close|stop)\b.*\b(?:line|subscription|service|contract|number)\b/,
    answer: (asked) =>
      withLine(asked, async (line) => {
        const when = /\b(?:now|immediately|today)\b/.test(asked.plain) ? 'now' : 'boundary';
        const called = await asked.toolbox.call('subscription.end', { subscriptionId: line.id, when });
        return elsewise(called) ?? 'Your line ends.';
      }),
  },
  {
    sign: /\b(?:change|switch|upgrade|downgrade|move)\b.*\b(?:plan|to)\b/,
    answer: (asked) =>
      withLine(asked, async (line) => {
        const items = await prices(asked, 'plan');
        if (typeof items === 'string') return items;
        const wanted = namedIn(asked.plain, items);
        if (!wanted)
          return `To which plan? There are ${items.map(({ code, name }) => `${name} (${code})`).join(', ')}.`;
        const called = await asked.toolbox.call('subscription.change_plan', {
          subscriptionId: line.id,
          offering: wanted.code ?? wanted.id,
        });
        return elsewise(called) ?? 'Your plan changes.';
      }),
  },
  {
    sign: /\b(?:top[ -]?up|buy|add|more (?:data|minutes|sms)|day pass|another gb|new period)\b/,
    answer: (asked) =>
      withLine(asked, async (line) => {
        const items = await prices(asked);
        if (typeof items === 'string') return items;
        const addOns = items.filter(({ kind }) => kind !== 'plan');
        const period = line.blockReasons.includes('unpaid') ? addOns.find(({ kind }) => kind === 'period') : undefined;
        const wanted =
          period ??
          namedIn(
            asked.plain,
            addOns.filter(({ kind }) => kind === 'vas'),
          );
        if (!wanted) {
          return `Which one? ${addOns
            .filter(({ kind }) => kind === 'vas')
            .map(({ name, price }) => `${name} for ${price?.text ?? 'its price'}`)
            .join(', ')}.`;
        }
        const called = await asked.toolbox.call('subscription.top_up', {
          subscriptionId: line.id,
          offering: wanted.code ?? wanted.id,
        });
        return elsewise(called) ?? 'It is ordered.';
      }),
  },
  {
    sign: /\b(?:receipts?|bills?|invoices?|paid|payments?|credit notes?)\b/,
    answer: async ({ toolbox }) => {
      const called = await toolbox.call('bill.list', { limit: 5 });
      const other = elsewise(called);
      if (other !== undefined) return other;
      const { items, timeZone } = billsShape.parse(called.result);
      if (items.length === 0) return 'There are no receipts yet: nothing was paid.';
      return `Your last receipts: ${items.map(({ billNo, category, billedAt, amount }) => `${billNo ?? ''} of ${at(billedAt, timeZone)}, ${amount?.text ?? ''}${category === 'creditNote' ? ' (credit note)' : ''}`).join('; ')}.`;
    },
  },
  {
    sign: /\b(?:plans?|prices?|price list|offers?|offerings?|add-?ons?|cost)\b/,
    answer: async (asked) => {
      const items = await prices(asked);
      if (typeof items === 'string') return items;
      const list = (kind: string) =>
        items
          .filter((one) => one.kind === kind)
          .map(
            ({ name, code, price, allowances }) =>
              `${name} (${code}), ${price?.text ?? ''}: ${allowances.map((one) => `${one.text} ${kindName(one.kind).toLowerCase()}`).join(', ')}`,
          )
          .join('\n');
      return `Plans, a month:\n${list('plan')}\nAdd-ons:\n${list('vas')}`;
    },
  },
  {
    sign: /\b(?:renew\w*|next (?:payment|charge|period)|when (?:do|will|am) i)\b/,
    answer: (asked) =>
      withLine(asked, (line, { timeZone }) =>
        line.period === null
          ? `${line.msisdn ?? 'Your line'} has not begun yet.`
          : `${line.msisdn} renews on ${at(line.period.endsAt, timeZone)}, in ${line.period.daysToRenewal} days, for ${line.price.text}.${stateOf(line)}`,
      ),
  },
  {
    sign: /\b(?:balance|left|remaining|remains|how much|usage|used|quota|data|minutes|sms|status|line)\b/,
    answer: (asked) =>
      withLine(asked, (line) => {
        const balances = line.balances.map(({ kind, remaining, granted, isUnlimited }) =>
          isUnlimited
            ? `${kindName(kind).toLowerCase()} unlimited`
            : `${kindName(kind).toLowerCase()} ${remaining.text} of ${granted.text}`,
        );
        return `${line.msisdn ?? 'Your line'} (${line.plan.name}): ${balances.join(', ') || 'nothing'} left.${stateOf(line)}`;
      }),
  },
];

const shows: readonly (readonly [RegExp, string, string])[] = [
  [/\bcus_[0-9a-z]{26}\b/, 'customer.show', 'customerId'],
  [/\bsub_[0-9a-z]{26}\b/, 'subscription.show', 'subscriptionId'],
  [/\bord_[0-9a-z]{26}\b/, 'order.show', 'orderId'],
  [/\bbil_[0-9a-z]{26}\b/, 'bill.show', 'billId'],
];

const asText = (value: unknown): string => cutText(JSON.stringify(value, null, 1), capped);

const operatorIntents: readonly Intent[] = [
  {
    sign: /\b(?:cus|sub|ord|bil)_[0-9a-z]{26}\b/,
    answer: async ({ plain, toolbox }) => {
      for (const [form, tool, input] of shows) {
        const found = form.exec(plain)?.[0];
        if (found === undefined) continue;
        const called = await toolbox.call(tool, { [input]: found });
        return elsewise(called) ?? asText(called.result);
      }
      return 'There is nothing of that name.';
    },
  },
  {
    sign: /\b(?:today|dashboard|business|alarms?|status)\b/,
    answer: async ({ toolbox }) => {
      const called = await toolbox.call('dashboard.show', {});
      const other = elsewise(called);
      if (other !== undefined) return other;
      const { day, customers, lines, orders, alarms } = todayShape.parse(called.result);
      return `${day}: ${customers.total} customers (${customers.today} new), ${lines.active} lines active, ${lines.blocked} blocked, orders ${orders.open} open, ${orders.completed} completed, ${orders.failed} failed. ${alarms.length === 0 ? 'No alarms.' : `Alarms: ${alarms.map(({ sentence }) => sentence).join(' ')}`}`;
    },
  },
  {
    sign: /\brules?\b/,
    answer: async ({ plain, toolbox }) => {
      const search = plain.replace(/\b(?:rules?|the|show|list|about|which|for|of)\b/g, '').trim();
      const called = await toolbox.call('rule.list', search === '' ? {} : { search });
      const other = elsewise(called);
      if (other !== undefined) return other;
      const { items } = rulesShape.parse(called.result);
      return (
        items
          .slice(0, 40)
          .map(({ code, sentence }) => `${code}: ${sentence}`)
          .join('\n') || 'No rule is named so.'
      );
    },
  },
  ...customerIntents.filter(({ sign }) => sign.test('plans')),
  {
    sign: /\b(?:customers?|find|search|who)\b/,
    answer: async ({ plain, toolbox }) => {
      const search = plain.replace(/\b(?:customers?|find|search|who|is|for|the|show)\b/g, '').trim();
      const called = await toolbox.call('customer.list', { limit: 10, ...(search === '' ? {} : { search }) });
      const other = elsewise(called);
      if (other !== undefined) return other;
      const { items } = foundShape.parse(called.result);
      return (
        items.map(({ id, name, email, state }) => `${id}  ${name ?? ''}  ${email ?? ''}  ${state ?? ''}`).join('\n') ||
        'Nobody is named so.'
      );
    },
  },
];

/** Answers the common questions by rules, over the same tools and with the same proposals as a model. */
export async function answerByRules(caller: Caller, text: string, toolbox: Toolbox): Promise<string> {
  const plain = text
    .toLowerCase()
    .replace(/[’‘]/g, "'")
    .replace(/\s+/g, ' ')
    .replace(/[?!.,;:]+/g, ' ')
    .trim();
  const intents = caller.audience === 'customer' ? customerIntents : operatorIntents;
  const intent = intents.find(({ sign }) => sign.test(plain));
  if (intent) return intent.answer({ text, plain, toolbox });
  const help = caller.audience === 'customer' ? forCustomers : forOperators;
  return [selfDescription, ...help].join(' ');
}
