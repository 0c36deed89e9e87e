// A second click does not send a form again while its answer is on the way: what the first one began has ended the session
// that the second would come with. Without this script that second one is refused, and nothing is done twice either way.
const pause = 5000;

for (const form of document.querySelectorAll('form')) {
  let sentAt = Number.NEGATIVE_INFINITY;
  form.addEventListener('submit', (event) => {
    // After a while it may be sent again: the network may have been away.
    const now = performance.now();
    if (now - sentAt < pause) event.preventDefault();
    else sentAt = now;
  });
}
