import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import type { Script } from '../../surfaces/chat/testing-model.ts';
import type { Answer, HostileWorld, Somebody } from './world.ts';

/** Who is there when an attack is played: a house with all its doors, who attacks, and who is to be harmed. */
export interface Scene {
  readonly world: HostileWorld;
  readonly attacker: Somebody;
  readonly victim: Somebody;
  /** What an attack prepares, for its own use. */
  readonly kept: Record<string, string>;
}

/**
 * Something that a hostile model, or a person with one, tries. It is played twice: with every guard it must come to
 * nothing, and with the guards that it aims at taken away it must get what it wants, or it would prove nothing.
 */
export interface Attack {
  readonly family: string;
  readonly name: string;
  /** The guards that it aims at: rules by their code, and others by their name. One that has a second behind it names both. */
  readonly aims: readonly string[];
  /** Tables that may change all the same, with every guard in place: a case that is opened is what should happen. */
  readonly allows?: readonly string[];
  /**
   * Nothing is refused where nothing is tried. The record of the turn itself has what was said and called; and what is
   * `answered` as it would be to anybody, a text shown as text or a way to a page of ours, needs no record.
   */
  readonly recorded?: 'turn' | 'answered';
  /** Done before anything is looked at, with every guard in place. */
  prepare?(scene: Scene): Promise<void>;
  play(scene: Scene): Promise<Answer[]>;
  /** Whether the attack got what it wanted. */
  won(scene: Scene, answers: readonly Answer[]): boolean | Promise<boolean>;
}

/** What a model calls once, before it says that it is done. */
export function calling(name: string, input: JsonObject, text = 'Done.'): Script {
  return ({ step }) => (step === 0 ? { calls: [{ name, arguments: input }] } : { text });
}

/** A turn in which the model follows its script, whatever was said. */
export function turn(script: (scene: Scene) => Script, says = 'How much is left?'): Attack['play'] {
  return async (scene) => {
    scene.world.model.play(script(scene));
    return [await scene.world.say(scene.attacker.token, says)];
  };
}

export const proposalsIn = (answers: readonly Answer[]): JsonObject[] =>
  answers.flatMap(({ body }) => (Array.isArray(body.proposals) ? body.proposals.filter(isJsonObject) : []));

export const tokenIn = (proposal: JsonObject | undefined): string =>
  isJsonObject(proposal?.confirmation) && typeof proposal.confirmation.token === 'string'
    ? proposal.confirmation.token
    : 'cnf_none';

/** Says yes to every proposal, as a person would who believes what they see. */
export async function confirmAll({ world, attacker }: Scene, answers: readonly Answer[]): Promise<Answer[]> {
  const done: Answer[] = [];
  for (const one of proposalsIn(answers)) {
    done.push(
      await world.request('POST', `/tools/${String(one.tool)}`, attacker.token, one.arguments, {
        'confirmation-token': tokenIn(one),
      }),
    );
  }
  return done;
}

/** What of the victim reached anybody: the answers of the house, and what a model was sent that it had not said itself. */
export function leaksIn({ world, victim }: Scene, answers: readonly Answer[]): string[] {
  const uttered = [...world.model.said, ...world.spoken].join('\n');
  const given = answers.map(({ text }) => text).join('\n');
  const heard = world.model.asked.map((one) => one.heard).join('\n');
  return victim.identifiers.filter((one) => given.includes(one) || (heard.includes(one) && !uttered.includes(one)));
}

export const leaks = (scene: Scene, answers: readonly Answer[]): boolean => leaksIn(scene, answers).length > 0;
