// What a page of the reference does beyond being read: copies examples, searches, and knows the address of its server.
// It is minified into every page; the pages are whole without it.

const all = (selector, within = document) => [...within.querySelectorAll(selector)];

if (location.protocol.startsWith('http')) {
  const url = location.origin + location.pathname.replace(/\/docs\/[^/]*$/, '');
  for (const place of all('[data-url]')) place.textContent = url;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // The clipboard is offered to secure pages only, and may be refused; the old way works elsewhere.
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
}

for (const figure of all('figure.example')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  button.addEventListener('click', async () => {
    await copy(
      all('pre', figure)
        .map((one) => one.textContent.replace(/\n$/, ''))
        .join('\n'),
    );
    button.textContent = 'Copied';
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 1500);
  });
  figure.prepend(button);
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = target?.closest('details');
  if (!details) return;
  details.open = true;
  details.scrollIntoView();
}
addEventListener('hashchange', openTarget);
openTarget();

if (matchMedia('(max-width: 60rem)').matches) {
  for (const contents of all('.contents details')) contents.open = false;
}

const search = document.querySelector('.search');
const input = search.querySelector('input');
const list = search.querySelector('ul');
let entries;
search.hidden = false;

async function find() {
  entries ??= fetch('search.json').then((answer) => answer.json());
  const terms = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const known = await entries;
  const found = known.filter(([text, kind]) => terms.every((term) => `${text} ${kind}`.toLowerCase().includes(term)));
  // What begins with the word, and is short, is most likely what was meant.
  const rank = ([text]) => (text.toLowerCase().startsWith(terms[0]) ? 0 : 1000) + text.length;
  found.sort((a, b) => rank(a) - rank(b));
  list.replaceChildren(
    ...found.slice(0, 12).map(([text, kind, href]) => {
      const link = document.createElement('a');
      link.href = href;
      link.append(text, ' ');
      const small = document.createElement('small');
      small.textContent = kind;
      link.append(small);
      const item = document.createElement('li');
      item.setAttribute('role', 'option');
      item.append(link);
      return item;
    }),
  );
  if (terms.length > 0 && found.length === 0) list.textContent = 'Nothing found.';
  list.hidden = terms.length === 0;
}
input.addEventListener('input', find);
search.addEventListener('keydown', (event) => {
  const links = all('a', list);
  const at = links.indexOf(document.activeElement);
  if (event.key === 'Escape') {
    list.hidden = true;
    input.blur();
  } else if (event.key === 'ArrowDown') (links[at + 1] ?? links[0])?.focus();
  else if (event.key === 'ArrowUp') (at > 0 ? links[at - 1] : input).focus();
  else if (event.key === 'Enter' && at < 0) links[0]?.click();
  else return;
  event.preventDefault();
});
list.addEventListener('click', () => {
  list.hidden = true;
});
addEventListener('click', (event) => {
  if (!search.contains(event.target)) list.hidden = true;
});
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target.matches('input, textarea')) return;
  event.preventDefault();
  input.focus();
});
