import { paintOf } from './paint.ts';
import { pad, type Style, shorten, widthOf } from './text.ts';

const widthMax = 96;

/** How wide a card is on this terminal, and how wide the lines inside it may be. */
export function cardWidths(style: Style): { outer: number; inner: number } {
  const outer = Math.max(30, Math.min(style.width, widthMax));
  return { outer, inner: outer - 4 };
}

/**
 * A framed card: a title and a badge in its upper edge, then sections of lines divided by rules. Lines may be coloured;
 * title and badge are plain and are coloured here.
 */
export function card(
  head: { title: string; badge?: string; paintBadge?: (text: string) => string },
  sections: readonly (readonly string[])[],
  style: Style,
): string {
  const paint = paintOf(style.color);
  const { outer, inner } = cardWidths(style);
  const edge = (text: string) => paint.quiet(text);
  const badge = head.badge === undefined ? '' : shorten(head.badge, Math.floor(inner / 2));
  const badgeSpace = badge === '' ? 0 : widthOf(badge) + 3;
  const title = shorten(head.title, outer - 6 - badgeSpace);
  const rest = Math.max(0, outer - 5 - widthOf(title) - badgeSpace);
  const badgePart = badge === '' ? '' : ` ${(head.paintBadge ?? paint.strong)(badge)} ${edge('─')}`;
  const lines = [`${edge('╭─')} ${paint.strong(title)} ${edge('─'.repeat(rest))}${badgePart}${edge('╮')}`];
  sections
    .filter((section) => section.length > 0)
    .forEach((section, index) => {
      if (index > 0) lines.push(edge(`├${'─'.repeat(outer - 2)}┤`));
      for (const line of section) lines.push(`${edge('│')} ${pad(line, inner)} ${edge('│')}`);
    });
  lines.push(edge(`╰${'─'.repeat(outer - 2)}╯`));
  return `${lines.join('\n')}\n`;
}

/** Two texts on one line, the second at the right edge; the first gives way. The paints see what is left of each. */
export function spread(
  left: string,
  right: string,
  width: number,
  paintLeft: (text: string) => string = (text) => text,
  paintRight: (text: string) => string = (text) => text,
): string {
  const end = shorten(right, width);
  const start = shorten(left, width - widthOf(end) - (end === '' ? 0 : 2));
  return `${paintLeft(start)}${' '.repeat(Math.max(0, width - widthOf(start) - widthOf(end)))}${paintRight(end)}`;
}

/** Name and value pairs with the values under each other. Values may be coloured by their paint. */
export function pairs(
  entries: readonly (readonly [name: string, value: string, paintValue?: (text: string) => string])[],
  width: number,
  style: Style,
): string[] {
  const paint = paintOf(style.color);
  const present = entries.filter(([, value]) => value !== '');
  const nameWidth = Math.max(0, ...present.map(([name]) => widthOf(name)));
  return present.map(([name, value, paintValue]) => {
    const text = shorten(value, width - nameWidth - 2);
    return `${paint.quiet(pad(name, nameWidth))}  ${paintValue ? paintValue(text) : text}`;
  });
}
