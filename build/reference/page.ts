import { html, type Markup } from './markup.ts';

export interface Page {
  /** Below `/docs/`: `TMF622.html`. */
  readonly file: string;
  readonly title: string;
  readonly lead: string;
  readonly body: Markup;
  /** What is on the page, for the list beside it. */
  readonly contents: readonly Entry[];
}

export interface Entry {
  readonly href: string;
  readonly text: string;
  readonly isCode?: boolean;
  readonly below?: readonly Entry[];
}

export interface Frame {
  /** The pages before which the list of APIs stands, and after. */
  readonly navigation: readonly Entry[];
  readonly script: string;
}

/** A whole page. It needs no other file than the style sheet, and works without its script. */
export function layOut(page: Page, frame: Frame): string {
  // The page of an API is one of those that the index lists.
  const current = page.file.startsWith('TMF') ? 'index.html' : page.file;
  const top = frame.navigation.map(
    ({ href, text }) => html`<a href="${href}"${href === current && html` aria-current="page"`}>${text}</a>`,
  );
  const made = html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title} · Airtime reference</title>
<meta name="description" content="${page.lead}">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="reference.css">
<a class="skip" href="#main">Skip to the text</a>
<header>
<a class="brand" href="index.html"><b>airtime</b> reference</a>
<nav aria-label="Pages">${top}</nav>
<div class="search" role="search" hidden><input type="search" placeholder="Search  /" aria-label="Search the reference" autocomplete="off" spellcheck="false"><ul role="listbox" aria-label="Found" hidden></ul></div>
</header>
<div class="columns">
${page.contents.length > 0 && html`<nav class="contents" aria-label="On this page"><details open><summary>On this page</summary>${entries(page.contents)}</details></nav>`}
<main id="main">
<h1>${page.title}</h1>
<p class="lead">${page.lead}</p>
${page.body}</main>
</div>
<footer><p>These pages are open to anybody who can reach this server: they say what the published contract, the rules and the examples say, and hold no data of any customer. Every other door asks for a token.</p></footer>
<script>${{ markup: frame.script }}</script>
</html>
`;
  return made.markup;
}

function entries(list: readonly Entry[]): Markup {
  return html`<ul>${list.map(
    ({ href, text, isCode, below }) =>
      html`<li><a href="${href}">${isCode ? html`<code>${text}</code>` : text}</a>${below && entries(below)}`,
  )}</ul>`;
}
