/** A piece of HTML that may stand in a page as it is. */
export interface Markup {
  readonly markup: string;
}

type Part = string | number | Markup | readonly Part[] | undefined | false;

/** HTML in which every value is escaped unless it is a piece of HTML itself. */
export function html(texts: TemplateStringsArray, ...values: Part[]): Markup {
  return { markup: texts.map((text, index) => text + (index < values.length ? textOf(values[index]) : '')).join('') };
}

function textOf(part: Part): string {
  if (part === undefined || part === false) return '';
  if (typeof part === 'string') return escaped(part);
  if (typeof part === 'number') return String(part);
  return isMarkup(part) ? part.markup : part.map(textOf).join('');
}

function isMarkup(part: Markup | readonly Part[]): part is Markup {
  return 'markup' in part;
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** A sentence of ours: `code` between backticks, **strong** words, [links](place). */
export function inline(text: string): Markup {
  const marked = text.split(/(`[^`]+`)/).map((part) =>
    part.startsWith('`') && part.length > 1
      ? `<code>${escaped(part.slice(1, -1))}</code>`
      : escaped(part)
          .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
          .replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, '<a href="$2">$1</a>'),
  );
  return { markup: marked.join('') };
}
