// Says something to the assistant and shows the answer as it comes. Without this script the form is sent as it is.
const form = document.querySelector('form.chat-form');
const log = document.querySelector('.chat-log');
const field = form?.querySelector('textarea');

function add(kind, text) {
  const item = document.createElement('li');
  item.className = `said ${kind}`;
  item.textContent = text;
  log.append(item);
  item.scrollIntoView({ block: 'nearest' });
  return item;
}

/** Calls back with each event of a stream. */
async function events(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    rest += value ?? '';
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (name && data) heard(name, JSON.parse(data));
    }
    if (done) return;
  }
}

/** What the page says that came instead of a stream: why it was refused. */
async function refusalIn(response) {
  const told = new DOMParser().parseFromString(await response.text(), 'text/html').querySelector('.lead, #problem');
  return told?.textContent ?? 'That was not done. Say it again.';
}

/** Whether it was answered: what was not is given back to be said again. */
async function say(text) {
  add('by-person', text);
  const answer = add('by-assistant is-waiting', 'One moment…');
  let isAnswered = false;
  try {
    const fields = new URLSearchParams(new FormData(form));
    fields.set('text', text);
    const response = await fetch(form.action, {
      method: 'POST',
      headers: { accept: 'text/event-stream' },
      body: fields,
      redirect: 'error',
    });
    if (!(response.headers.get('content-type') ?? '').includes('event-stream')) {
      answer.textContent = await refusalIn(response);
    } else {
      await events(response.body, (name, data) => {
        if (name === 'conversation' && form.elements.conversation) form.elements.conversation.value = data.id;
        if (name === 'tool') answer.textContent = data.text;
        if (name === 'error') answer.textContent = data.message;
        if (name === 'turn') {
          isAnswered = true;
          answer.textContent = data.reply;
          for (const { what, path } of data.proposals) {
            const link = document.createElement('a');
            link.className = 'button secondary';
            link.href = path;
            link.textContent = what;
            const item = document.createElement('li');
            item.className = 'chat-proposal';
            item.append(link);
            log.append(item);
          }
        }
      });
    }
  } catch {
    answer.textContent = 'That did not get through. Look at your connection and say it again.';
  }
  answer.classList.remove('is-waiting');
  answer.scrollIntoView({ block: 'nearest' });
  return isAnswered;
}

let isSaying = false;

form?.addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = field.value.trim();
  // One thing at a time: what is typed meanwhile stays where it is.
  if (text === '' || isSaying) return;
  isSaying = true;
  const button = form.querySelector('button');
  // A button that is switched off would lose the keyboard of whoever pressed it.
  button.setAttribute('aria-disabled', 'true');
  field.value = '';
  const isAnswered = await say(text);
  if (!isAnswered && field.value === '') field.value = text;
  isSaying = false;
  button.removeAttribute('aria-disabled');
  // Whoever went on to a link or to another field meanwhile stays there.
  if (document.activeElement === null || document.activeElement === document.body || document.activeElement === button)
    field.focus();
});

field?.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
