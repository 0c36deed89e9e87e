// Balances that follow what is used, while somebody looks at them. Without this script the page shows them as they were.
const every = 15_000;

for (const place of document.querySelectorAll('[data-live]')) {
  const path = place.getAttribute('data-live');
  const refresh = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(path, { headers: { accept: 'text/html' }, redirect: 'error' });
      // What comes is a part of a page of ours, escaped where it was made.
      if (answer.ok) place.innerHTML = await answer.text();
    } catch {
      // The network is away: what is shown stays, and the next round tries again.
    }
  };
  setInterval(refresh, every);
  document.addEventListener('visibilitychange', refresh);
}
