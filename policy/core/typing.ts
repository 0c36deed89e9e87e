import type { AnyDefinition } from './command.ts';
import { createInput, patchInput, removeInput } from './resource.ts';

/** How a tool is typed: which inputs by place, and examples of it. */
export interface Typing {
  readonly positional: readonly string[];
  readonly examples: readonly string[];
}

/**
 * How a command is typed. The commands that keep a body of the standard have no words of their own: they all take an id
 * and a document, so their examples differ in their nouns only.
 */
export function typingOf(command: AnyDefinition): Typing {
  const typed = command.name.replaceAll('_', '-').replace('.', ' ');
  const file = `@${(command.name.split('.')[0] ?? '').replaceAll('_', '-')}.json`;
  const { positional, examples } = bodyTyping(command, `bss ${typed}`, file);
  return { positional: command.positional ?? positional, examples: command.examples ?? examples };
}

function bodyTyping(command: AnyDefinition, typed: string, file: string): Typing {
  switch (command.input) {
    case createInput:
      return { positional: [], examples: [`${typed} --document ${file}`] };
    case patchInput:
      return { positional: ['id'], examples: [`${typed} <id> --patch '{"description": "As it is now"}'`] };
    case removeInput:
      return { positional: ['id'], examples: [`${typed} <id>`] };
    default:
      return { positional: [], examples: [] };
  }
}
