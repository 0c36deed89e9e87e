import { AirtimeError, invalid } from '../../../kernel/error.ts';
import { isJsonObject, type JsonObject } from '../../../kernel/json.ts';
import { type Problem, problemOf, wanted } from '../form.ts';
import { Heading } from '../layout.tsx';
import type { ChatAnswer, ChatTurn } from '../parts.ts';
import { type Page, page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { Actions, Form, Hidden, TextArea } from '../ui/form.tsx';
import { Card, Notice } from '../ui/parts.tsx';
import { asked } from './parts.tsx';

const textMax = 4000;

/** Where a proposal is shown whole and said yes to: the page asks for the token itself, so none is in an address. */
function confirmPath(tool: string, input: JsonObject): string {
  return `/desk/confirm?${new URLSearchParams({ tool, arguments: JSON.stringify(input) })}`;
}

function chatPage(
  visit: Visit,
  given: { id?: string; turns: readonly ChatTurn[]; proposals?: ChatAnswer['proposals']; problem?: Problem },
): Page {
  const { id, turns, proposals = [], problem } = given;
  return page({
    title: 'Chat',
    section: 'desk',
    status: problem?.status ?? 200,
    scripts: ['chat.js'],
    body: (
      <>
        <Heading title="Chat" lead="Say what you want to know or have done. Money and endings wait for your yes." />
        <ol class="chat-log" aria-live="polite" aria-label="What was said">
          {turns.flatMap((turn) => [
            <li key={`${turn.at} said`} class="said by-person">
              {turn.said}
            </li>,
            turn.reply === null ? null : (
              <li key={`${turn.at} reply`} class="said by-assistant">
                {turn.reply}
              </li>
            ),
          ])}
          {proposals.map((proposal) => (
            <li key={proposal.what} class="chat-proposal">
              <a class="button secondary" href={confirmPath(proposal.tool, proposal.arguments)}>
                {proposal.what}
              </a>
            </li>
          ))}
        </ol>
        <Form action="/desk/chat" problem={problem} values={problem ? visit.form : undefined} class="form chat-form">
          <Hidden name="conversation" value={id ?? ''} />
          <TextArea name="text" label="Say something" rows={2} max={textMax} />
          <Actions label="Say it" away={{ to: '/desk/chat', label: 'Begin anew' }} />
        </Form>
      </>
    ),
  });
}

async function open(visit: Visit): Promise<Reply> {
  const id = asked(visit.query.get('conversation'));
  if (id === undefined) return chatPage(visit, { turns: [] });
  return chatPage(visit, await visit.parts.chat.read(visit.caller, id));
}

async function say(visit: Visit): Promise<Reply> {
  const { chat } = visit.parts;
  const given = asked(visit.form.text('conversation'));
  const begun = async (): Promise<string> => given ?? (await chat.begin(visit.caller)).id;
  if (visit.wantsEvents) {
    return {
      kind: 'events',
      async run(send) {
        try {
          const { text } = wanted(visit.form, [saying]);
          const id = await begun();
          send('conversation', { id });
          const answer = await chat.say(visit.caller, id, text, (tool) =>
            send('tool', { text: `Looking at ${tool}…` }),
          );
          send('turn', {
            reply: answer.reply,
            proposals: answer.proposals.map(({ tool, arguments: input, what }) => ({
              what,
              path: confirmPath(tool, input),
            })),
          });
        } catch (error) {
          if (!(error instanceof AirtimeError)) visit.parts.log.error({ err: error }, 'a turn failed');
          send('error', {
            message: error instanceof AirtimeError ? error.message : 'Something went wrong. Say it again.',
          });
        }
      },
    };
  }
  try {
    const { text } = wanted(visit.form, [saying]);
    const id = await begun();
    const answer = await chat.say(visit.caller, id, text, () => undefined);
    const { turns } = await chat.read(visit.caller, id);
    return chatPage(visit, { id, turns, proposals: answer.proposals });
  } catch (error) {
    const turns = given === undefined ? [] : (await chat.read(visit.caller, given)).turns;
    return chatPage(visit, { ...(given === undefined ? {} : { id: given }), turns, problem: problemOf(error) });
  }
}

const saying = { name: 'text', label: 'What you say', max: textMax, remedy: 'Type a line.' } as const;

/** The tool and its arguments, as a proposal named them. @throws AirtimeError 400 */
function actIn(tool: string | null, input: string | null): { tool: string; input: JsonObject } {
  const wrong = () =>
    invalid('This is no proposal of the assistant.', [
      { field: 'arguments', rule: 'is not readable', remedy: 'Ask in the chat again.' },
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

/** What would happen, to whom and at what price, with the token that says yes: for the screen of the person alone. */
async function propose(visit: Visit): Promise<Reply> {
  const { tool, input } = actIn(visit.query.get('tool'), visit.query.get('arguments'));
  const { proposal, confirmation } = await visit.parts.tools.propose(tool, input, visit.caller);
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
        <Form action="/desk/confirm">
          <Hidden name="tool" value={tool} />
          <Hidden name="arguments" value={JSON.stringify(input)} />
          <Hidden name="confirmation" value={confirmation.token} />
          <Actions
            label={proposal.effect === 'money' ? 'Yes, charge it' : 'Yes, do it'}
            kind={proposal.effect === 'money' ? 'primary' : 'danger'}
            away={{ to: '/desk/chat', label: 'No' }}
          />
        </Form>
      </>
    ),
  });
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
  { method: 'POST', path: '/desk/chat', audience: 'operator', operation: 'deskSay', handle: say },
  { method: 'GET', path: '/desk/confirm', audience: 'operator', operation: 'deskPropose', handle: propose },
  { method: 'POST', path: '/desk/confirm', audience: 'operator', operation: 'deskConfirm', handle: confirm },
  { method: 'GET', path: '/desk/done', audience: 'operator', operation: 'deskDone', handle: done },
];
