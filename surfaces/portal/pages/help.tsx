import { listTickets, showTicket } from '../../../read/views/ticket.ts';
import { type Problem, problemOf, Form as Typed, wanted } from '../form.ts';
import { Heading } from '../layout.tsx';
import { type Page, page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { Conversation, say, type Talk, type TalkPlace } from '../talk.tsx';
import { Actions, Form, TextArea, TextField } from '../ui/form.tsx';
import { Done } from '../ui/notices.tsx';
import { Badge, ButtonLink, Card, toneOf } from '../ui/parts.tsx';
import { day, minute, stateWord } from '../ui/words.ts';
import { proposePath } from './confirm.tsx';

// ---- tickets ----

async function help(visit: Visit): Promise<Reply> {
  const { items, timeZone } = await visit.read(listTickets, { limit: 50 });
  return page({
    title: 'Help',
    width: 'narrow',
    body: (
      <>
        <Heading title="Help" />
        <Done visit={visit} />
        <Card title="Ask the assistant">
          <p>It knows your lines and our handbook, and answers at once. A person takes over when you ask for one.</p>
          <div class="line-acts">
            <ButtonLink to="/account/chat" kind="primary">
              Ask something
            </ButtonLink>
          </div>
        </Card>
        <Card title="Write to us">
          <p>Tell us what is wrong, and follow what becomes of it here.</p>
          <div class="line-acts">
            <ButtonLink to="/account/help/new">Open a ticket</ButtonLink>
          </div>
        </Card>
        {items.length === 0 ? null : (
          <Card title="Your tickets">
            <ul class="rows">
              {items.map((ticket) => (
                <li key={ticket.id}>
                  <a class="row" href={`/account/help/${ticket.id}`}>
                    <span>
                      <span class="row-name">{ticket.name}</span>
                      <span class="row-detail">Opened {day(ticket.openedAt, timeZone)}</span>
                    </span>
                    <span class="row-end">
                      <Badge tone={toneOf(ticket.state)}>{stateWord(ticket.state)}</Badge>
                    </span>
                  </a>
                </li>
              ))}
            </ul>
          </Card>
        )}
      </>
    ),
  });
}

function newTicketPage(visit: Visit, problem?: Problem): Page {
  return page({
    title: 'Open a ticket',
    width: 'narrow',
    problem,
    body: (
      <>
        <Heading title="What is wrong?" back={{ to: '/account/help', label: 'Help' }} />
        <Form action="/account/help" problem={problem} values={visit.form}>
          <TextField name="name" label="In a few words" hint="No data in the train" />
          <TextArea name="description" label="What happened, and what did you expect?" />
          <Actions label="Send it" away={{ to: '/account/help', label: 'Not now' }} />
        </Form>
      </>
    ),
  });
}

async function openTicket(visit: Visit): Promise<Reply> {
  try {
    const given = wanted(visit.form, [
      { name: 'name', label: 'The title', max: 200, remedy: 'A few words are enough.' },
      { name: 'description', label: 'What happened', max: 4000, remedy: 'Tell it as you would tell a friend.' },
    ]);
    await visit.run('ticket.open', given);
    return redirect('/account/help?done=ticket-opened');
  } catch (error) {
    return newTicketPage(visit, problemOf(error));
  }
}

async function ticketPage(visit: Visit, problem?: Problem): Promise<Page> {
  const ticket = await visit.read(showTicket, { ticketId: visit.params.ticketId ?? '' });
  return page({
    title: ticket.name,
    width: 'narrow',
    problem,
    body: (
      <>
        <Heading title={ticket.name} back={{ to: '/account/help', label: 'Help' }}>
          <p class="heading-facts">
            <Badge tone={toneOf(ticket.state)}>{stateWord(ticket.state)}</Badge> since{' '}
            {day(ticket.openedAt, ticket.timeZone)}
          </p>
        </Heading>
        <Done visit={visit} />
        <Card>
          <p class="as-typed">{ticket.description}</p>
        </Card>
        {ticket.notes.length === 0 ? null : (
          <Card title="What was said since">
            <ul class="rows">
              {ticket.notes.map((note) => (
                <li key={`${note.at} ${note.text}`}>
                  <div class="note">
                    <p class="row-detail">
                      {note.author ?? 'Somebody'}
                      {note.at === null ? '' : `, ${minute(note.at, ticket.timeZone)}`}
                    </p>
                    <p class="as-typed">{note.text}</p>
                  </div>
                </li>
              ))}
            </ul>
          </Card>
        )}
        <Card title="Add something">
          <Form
            action={`/account/help/${ticket.id}/note`}
            problem={problem}
            values={problem ? visit.form : new Typed()}
          >
            <TextArea name="note" label="What else should we know?" rows={4} />
            <Actions label="Add it" />
          </Form>
        </Card>
      </>
    ),
  });
}

async function addNote(visit: Visit): Promise<Reply> {
  const ticketId = visit.params.ticketId ?? '';
  try {
    const { note } = wanted(visit.form, [
      { name: 'note', label: 'The note', max: 4000, remedy: 'Type a line or two.' },
    ]);
    await visit.run('ticket.note', { id: ticketId, text: note });
    return redirect(`/account/help/${encodeURIComponent(ticketId)}?done=note-added`);
  } catch (error) {
    return ticketPage(visit, problemOf(error));
  }
}

// ---- the assistant ----

const place: TalkPlace = {
  path: '/account/chat',
  label: 'Your question',
  button: 'Ask',
  using: () => 'Looking it up…',
  proposal: proposePath,
};

function chatPage(visit: Visit, talk: Talk): Page {
  return page({
    title: 'Ask',
    width: 'narrow',
    problem: talk.problem,
    scripts: ['chat.js'],
    body: (
      <>
        <Heading
          title="Ask the assistant"
          lead="About your lines, your plan, or how something works. What costs money is shown to you first."
          back={{ to: '/account/help', label: 'Help' }}
        />
        <Conversation visit={visit} place={place} talk={talk} />
      </>
    ),
  });
}

async function chat(visit: Visit): Promise<Reply> {
  const asked = visit.query.get('conversation');
  const [last] = asked === null && visit.query.get('new') === null ? await visit.parts.chat.list(visit.caller) : [];
  const id = asked ?? last?.id;
  return chatPage(visit, id === undefined ? { id: '', turns: [] } : await visit.parts.chat.read(visit.caller, id));
}

const own = { audience: 'customer' } as const;

export const helpRoutes: readonly Route[] = [
  { method: 'GET', path: '/account/help', ...own, operation: 'help', handle: help },
  {
    method: 'GET',
    path: '/account/help/new',
    ...own,
    operation: 'newTicket',
    handle: async (visit) => newTicketPage(visit),
  },
  { method: 'POST', path: '/account/help', ...own, operation: 'openTicket', handle: openTicket },
  { method: 'GET', path: '/account/help/:ticketId', ...own, operation: 'ticket', handle: (visit) => ticketPage(visit) },
  { method: 'POST', path: '/account/help/:ticketId/note', ...own, operation: 'noteOnTicket', handle: addNote },
  { method: 'GET', path: '/account/chat', ...own, operation: 'chat', handle: chat },
  {
    method: 'POST',
    path: '/account/chat',
    ...own,
    operation: 'say',
    handle: (visit) => say(visit, place, (talk) => chatPage(visit, talk)),
  },
];
