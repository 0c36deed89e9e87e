import type { JsonObject } from '../../kernel/json.ts';
import { type Problem, problemOf, Form as Typed, wanted } from './form.ts';
import type { ChatAnswer, ChatTurn } from './parts.ts';
import type { Reply, Visit } from './route.ts';
import { Actions, Form, Hidden, TextArea } from './ui/form.tsx';
import { ButtonLink } from './ui/parts.tsx';

// Talking to the assistant, at the account and at the desk: what was said, a form to say more, and the stream for a script.

const textMax = 4000;
const saying = { name: 'text', label: 'What you say', max: textMax, remedy: 'Type a line.' } as const;

/** A conversation as a page shows it. */
export interface Talk {
  /** Empty before anything was said. */
  readonly id: string;
  readonly turns: readonly ChatTurn[];
  readonly proposals?: ChatAnswer['proposals'] | undefined;
  readonly problem?: Problem | undefined;
}

export interface TalkPlace {
  /** The page itself, and where its form goes. */
  readonly path: string;
  readonly label: string;
  readonly button: string;
  /** What a person hears while a tool is used. */
  using(tool: string): string;
  /** Where a proposal is shown whole: the page asks for the token itself, so none is in an address. */
  proposal(tool: string, input: JsonObject): string;
}

export function Conversation({ visit, place, talk }: { visit: Visit; place: TalkPlace; talk: Talk }) {
  const { id, turns, proposals = [], problem } = talk;
  return (
    <>
      <ol class="chat-log" aria-live="polite" aria-label="What was said">
        {turns.flatMap(({ said, reply, at }) => [
          <li key={`${at} said`} class="said by-person">
            {said}
          </li>,
          reply === null ? null : (
            <li key={`${at} reply`} class="said by-assistant">
              {reply}
            </li>
          ),
        ])}
        {proposals.map(({ tool, arguments: input, what }) => (
          <li key={what} class="chat-proposal">
            <ButtonLink to={place.proposal(tool, input)}>{what}</ButtonLink>
          </li>
        ))}
      </ol>
      <Form action={place.path} problem={problem} values={problem ? visit.form : new Typed()} class="form chat-form">
        <Hidden name="conversation" value={id} />
        <TextArea name="text" label={place.label} rows={2} max={textMax} />
        <Actions
          label={place.button}
          {...(turns.length > 0 ? { away: { to: `${place.path}?new=1`, label: 'Begin anew' } } : {})}
        />
      </Form>
    </>
  );
}

/** Says what was typed, and answers with the page, or with a stream where a script asked for one. */
export async function say(visit: Visit, place: TalkPlace, draw: (talk: Talk) => Reply): Promise<Reply> {
  const { chat } = visit.parts;
  const given = visit.form.text('conversation');
  const conversation = async (): Promise<string> => (given === '' ? (await chat.begin(visit.caller)).id : given);
  if (visit.wantsEvents) {
    return {
      kind: 'events',
      async run(send) {
        const { text } = wanted(visit.form, [saying]);
        const id = await conversation();
        let isOpen = false;
        // What is refused is refused before the first word: until then the answer may still be another.
        const open = (): void => {
          if (!isOpen) send('conversation', { id });
          isOpen = true;
        };
        const { reply, proposals } = await chat.say(visit.caller, id, text, (tool) => {
          open();
          send('tool', { text: place.using(tool) });
        });
        open();
        send('turn', {
          reply,
          proposals: proposals.map(({ tool, arguments: input, what }) => ({ what, path: place.proposal(tool, input) })),
        });
      },
    };
  }
  try {
    const { text } = wanted(visit.form, [saying]);
    const id = await conversation();
    const { proposals } = await chat.say(visit.caller, id, text, () => undefined);
    return draw({ ...(await chat.read(visit.caller, id)), proposals });
  } catch (error) {
    const problem = problemOf(error);
    return draw({ ...(given === '' ? { id: '', turns: [] } : await chat.read(visit.caller, given)), problem });
  }
}
