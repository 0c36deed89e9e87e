import { isJsonObject, type Json, type JsonObject } from '../../../kernel/json.ts';
import { kebab } from '../descriptors.ts';
import { paintOf } from './paint.ts';
import { plainText } from './plain.ts';
import { type Style, wrap } from './text.ts';

/** What would happen, to whom, at what price: what a person reads before saying yes. */
export function drawProposal(proposal: JsonObject, style: Style): string {
  const paint = paintOf(style.color);
  const { what, customer, amount, details, effect } = proposal;
  const given = isJsonObject(proposal.arguments) ? Object.entries(proposal.arguments) : [];
  const rows: (readonly [string, string])[] = [
    ...(isJsonObject(amount) ? [['price', shown(amount.text)] as const] : []),
    ...(isJsonObject(customer)
      ? [['customer', [customer.name, customer.id].filter((one) => typeof one === 'string').join(', ')] as const]
      : []),
    ...given.map(([name, value]) => [kebab(name), shown(value)] as const),
  ];
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return [
    ...wrap(plainText(shown(what)), style.width).map((line) => paint.strong(line)),
    ...rows.flatMap(([name, value]) =>
      wrap(plainText(value), Math.max(8, style.width - width - 4)).map(
        (line, index) => `  ${paint.quiet((index === 0 ? name : '').padEnd(width))}  ${line}`,
      ),
    ),
    ...(Array.isArray(details) ? details : []).flatMap((one) =>
      wrap(plainText(shown(one)), style.width - 2).map((line) => `  ${line}`),
    ),
    paint.warn(effect === 'money' ? 'This moves money.' : 'This cannot be undone.'),
    '',
  ].join('\n');
}

function shown(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}
