import { html, inline, type Markup } from './markup.ts';

/**
 * The Markdown of our own guide as HTML: headings, paragraphs, lists, tables and fenced code, which become examples to
 * copy. Anything else in the file is an error, so that no page shows raw marks.
 */
export function markdown(text: string): { title: string; body: Markup; sections: { id: string; title: string }[] } {
  const sections: { id: string; title: string }[] = [];
  let title = '';
  const blocks = blocksOf(text).map((block): Markup => {
    const [first = ''] = block;
    const heading = /^(#{1,3}) (.+)$/.exec(first);
    if (heading) {
      const [, marks = '', words = ''] = heading;
      if (marks.length === 1) {
        title = words;
        return html``;
      }
      const id = idOf(words);
      if (marks.length === 2) sections.push({ id, title: words });
      return marks.length === 2
        ? html`<h2 id="${id}">${inline(words)}</h2>\n`
        : html`<h3 id="${id}">${inline(words)}</h3>\n`;
    }
    if (first.startsWith('```')) {
      const code = block.slice(1, -1).join('\n');
      return first.startsWith('```sh')
        ? html`<figure class="example"><pre><code>${code}</code></pre></figure>\n`
        : html`<pre><code>${code}</code></pre>\n`;
    }
    if (first.startsWith('- ')) {
      const items = block.join('\n').slice(2).split('\n- ');
      return html`<ul>${items.map((item) => html`<li>${inline(oneLine(item))}`)}</ul>\n`;
    }
    if (first.startsWith('|')) return table(block);
    if (/^[>+*<]|^\d+\. /.test(first)) throw new Error(`the guide uses a mark that is not known here: ${first}`);
    return html`<p>${inline(oneLine(block.join('\n')))}</p>\n`;
  });
  return { title, body: html`${blocks}`, sections };
}

function blocksOf(text: string): string[][] {
  const blocks: string[][] = [];
  let block: string[] = [];
  let isCode = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('```')) isCode = !isCode;
    if (line === '' && !isCode) {
      if (block.length > 0) blocks.push(block);
      block = [];
    } else block.push(line);
  }
  if (block.length > 0) blocks.push(block);
  return blocks;
}

const oneLine = (text: string) => text.replace(/\n\s*/g, ' ');

export const idOf = (words: string) =>
  words
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');

function table(lines: readonly string[]): Markup {
  const rows = lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const [head = [], , ...body] = rows;
  return html`<div class="wide"><table><thead><tr>${head.map((cell) => html`<th>${inline(cell)}`)}<tbody>${body.map(
    (row) => html`<tr>${row.map((cell) => html`<td>${inline(cell)}`)}`,
  )}</table></div>\n`;
}
