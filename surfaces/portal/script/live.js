// Balances that follow what is used, while somebody looks at them. Without this script the page shows them as they were.
const every = 15_000;

const reachable = (place) => [...place.querySelectorAll('a[href], button, input, select, textarea, [tabindex]')];

/** Puts what came in place of what was there. Whoever was at a link of it by keyboard is at the same one afterwards. */
function replace(place, html) {
  const before = reachable(place);
  const at = before.indexOf(document.activeElement);
  const href = at < 0 ? null : before[at].getAttribute('href');
  // What comes is a part of a page of ours, escaped where it was made.
  place.innerHTML = html;
  if (at < 0) return;
  const after = reachable(place);
  const same = href === null ? undefined : after.find((one) => one.getAttribute('href') === href);
  (same ?? after[at])?.focus({ preventScroll: true });
}

for (const place of document.querySelectorAll('[data-live]')) {
  const path = place.getAttribute('data-live');
  let shown = '';
  const isTypedInto = () => place.contains(document.activeElement) && document.activeElement.matches('input, textarea');
  const isMarked = () => {
    const selection = document.getSelection();
    return selection !== null && !selection.isCollapsed && place.contains(selection.anchorNode);
  };
  const refresh = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(path, { headers: { accept: 'text/html' }, redirect: 'error' });
      const html = answer.ok ? await answer.text() : shown;
      // What somebody types or is about to copy is not taken from under their hands: the next round comes soon.
      if (html === shown || isTypedInto() || isMarked()) return;
      shown = html;
      replace(place, html);
    } catch {
      // The network is away: what is shown stays, and the next round tries again.
    }
  };
  setInterval(refresh, every);
  document.addEventListener('visibilitychange', refresh);
}
