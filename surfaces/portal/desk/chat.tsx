import type { ComponentChildren } from 'preact';
import { invalid } from '../../../kernel/error.ts';
import { isJsonObject, type JsonObject } from '../../../kernel/json.ts';
import type { Proposal } from '../../../tools/registry.ts';
import { Heading } from '../layout.tsx';
import { type Page, page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { Conversation, say, type Talk, type TalkPlace } from '../talk.tsx';
import { Actions, Form, Hidden } from '../ui/form.tsx';
import { Card, Notice } from '../ui/parts.tsx';
import { asked } from './parts.tsx';

const place: TalkPlace = {
  path: '/desk/chat',
  label: 'Say something',
  button: 'Say it',
  using: (tool) => `Looking at ${tool}…`,
  proposal: (tool, input) => `/desk/confirm?${new URLSearchParams({ tool, arguments: JSON.stringify(input) })}`,
};

function chatPage(visit: Visit, talk: Talk): Page {
  return page({
    title: 'Chat',
    section: 'desk',
    problem: talk.problem,
    scripts: ['chat.js'],
    body: (
      <>
        <Heading title="Chat" lead="Say what you want to know or have done. Money and endings wait for your yes." />
        <Conversation visit={visit} place={place} talk={talk} />
      </>
    ),
  });
}

async function open(visit: Visit): Promise<Reply> {
  const id = asked(visit.query.get('conversation'));
  return chatPage(visit, id === undefined ? { id: '', turns: [] } : await visit.parts.chat.read(visit.caller, id));
}

/** The tool and its arguments, as a proposal named them. @throws AirtimeError 400 */
function actIn(tool: string | null, input: string | null): { tool: string; input: JsonObject } {
  const wrong = () =>
    invalid('This is no proposal of the assistant.', [
      { field: 'arguments', rule: 'What was to be done cannot be read.', remedy: 'Ask in the chat again.' },
    ]);
  if (!tool || !input || input.length > 8000) throw wrong();
  try {
    const value: unknown = JSON.parse(input);
    if (isJsonObject(value)) return { tool, input: value };
  } catch {
    // Told below, as everything that is none.
  }
  throw wrong();
}

function proposalPage(
  { tool, input, proposal }: { tool: string; input: JsonObject; proposal: Proposal },
  action: string,
  actions: ComponentChildren,
): Page {
  return page({
    title: 'Do this?',
    section: 'desk',
    width: 'narrow',
    body: (
      <>
        <Heading title="Do this?" lead="Nothing was done yet." back={{ to: '/desk/chat', label: 'Chat' }} />
        <Card class="proposal">
          <p class="proposal-what">{proposal.what}</p>
          {proposal.amount === null ? null : <p class="proposal-price">{proposal.amount.text}</p>}
          <ul>
            {proposal.customer === null ? null : <li>{`For ${proposal.customer.name ?? proposal.customer.id}`}</li>}
            {proposal.details.map((detail) => (
              <li key={detail}>{detail}</li>
            ))}
          </ul>
        </Card>
        <div class="section-small">
          <Form action={action}>
            <Hidden name="tool" value={tool} />
            <Hidden name="arguments" value={JSON.stringify(input)} />
            {actions}
          </Form>
        </div>
      </>
    ),
  });
}

/** What would happen, to whom and at what price. Looking writes nothing. */
async function look(visit: Visit): Promise<Reply> {
  const { tool, input } = actIn(visit.query.get('tool'), visit.query.get('arguments'));
  const proposal = await visit.parts.tools.preview(tool, input, visit.caller);
  return proposalPage(
    { tool, input, proposal },
    '/desk/propose',
    <Actions label="Go on" away={{ to: '/desk/chat', label: 'No' }} />,
  );
}

/** The same as it stands now, with the token that says yes: for the screen of the person alone. */
async function propose(visit: Visit): Promise<Reply> {
  const { tool, input } = actIn(visit.form.text('tool'), visit.form.text('arguments'));
  const { proposal, confirmation } = await visit.parts.tools.propose(tool, input, visit.caller);
  const isMoney = proposal.effect === 'money';
  return proposalPage(
    { tool, input, proposal },
    '/desk/confirm',
    <>
      <Hidden name="confirmation" value={confirmation.token} />
      <Actions
        label={isMoney ? 'Yes, charge it' : 'Yes, do it'}
        kind={isMoney ? 'primary' : 'danger'}
        away={{ to: '/desk/chat', label: 'No' }}
      />
    </>,
  );
}

async function confirm(visit: Visit): Promise<Reply> {
  const { tool, input } = actIn(visit.form.text('tool'), visit.form.text('arguments'));
  await visit.parts.tools.confirm(tool, input, visit.caller, visit.form.text('confirmation'));
  return redirect('/desk/done');
}

async function done(): Promise<Reply> {
  return page({
    title: 'Done',
    section: 'desk',
    width: 'narrow',
    body: (
      <>
        <Heading title="Done" />
        <Notice tone="good" title="It was done.">
          What came of it stands among the <a href="/desk/events">events</a>.
        </Notice>
        <p>
          <a href="/desk/chat">Back to the chat</a>
        </p>
      </>
    ),
  });
}

export const chatRoutes: readonly Route[] = [
  { method: 'GET', path: '/desk/chat', audience: 'operator', operation: 'deskChat', handle: open },
  {
    method: 'POST',
    path: '/desk/chat',
    audience: 'operator',
    operation: 'deskSay',
    handle: (visit) => say(visit, place, (talk) => chatPage(visit, talk)),
  },
  { method: 'GET', path: '/desk/confirm', audience: 'operator', operation: 'deskProposal', handle: look },
  { method: 'POST', path: '/desk/propose', audience: 'operator', operation: 'deskPropose', handle: propose },
  { method: 'POST', path: '/desk/confirm', audience: 'operator', operation: 'deskConfirm', handle: confirm },
  { method: 'GET', path: '/desk/done', audience: 'operator', operation: 'deskDone', handle: done },
];
