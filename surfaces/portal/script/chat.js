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

async function say(text) {
  add('by-person', text);
  const answer = add('by-assistant is-waiting', 'One moment…');
  try {
    const fields = new URLSearchParams(new FormData(form));
    fields.set('text', text);
    const response = await fetch(form.action, {
      method: 'POST',
      headers: { accept: 'text/event-stream' },
      body: fields,
      redirect: 'error',
    });
    if (!(response.headers.get('content-type') ?? '').includes('event-stream')) throw new Error('no stream');
    await events(response.body, (name, data) => {
      if (name === 'conversation' && form.elements.conversation) form.elements.conversation.value = data.id;
      if (name === 'tool') answer.textContent = data.text;
      if (name === 'error') answer.textContent = data.message;
      if (name === 'turn') {
        answer.classList.remove('is-waiting');
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
  } catch {
    answer.textContent = 'That did not get through. Look at your connection and say it again.';
  }
  answer.classList.remove('is-waiting');
  answer.scrollIntoView({ block: 'nearest' });
}

form?.addEventListener('submit', (event) => {
  event.preventDefault();
  const text = field.value.trim();
  if (text === '') return;
  field.value = '';
  const button = form.querySelector('button');
  button.disabled = true;
  say(text).finally(() => {
    button.disabled = false;
    field.focus();
  });
});

field?.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
