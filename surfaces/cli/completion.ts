import type { Verb } from './descriptors.ts';
import { fieldsOf, UsageError } from './input.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;

const ownFlags = ['--json', '--server', '--watch', '--yes', '--input', '--no-color', '--help'];
const alone = ['trace', 'rules', 'doctor', 'mcp', 'completion'];

/** A script that completes nouns, verbs and options; it knows the verbs of the build that printed it. */
export function completionScript(shell: string, verbs: readonly Verb[]): string {
  switch (shell) {
    case 'bash':
      return bash(verbs);
    case 'zsh':
      return `#compdef bss\nautoload -U +X bashcompinit && bashcompinit\n${bash(verbs)}`;
    case 'fish':
      return fish(verbs);
    default:
      throw new UsageError(`completion: "${shell}" is none of ${shells.join(', ')}.`);
  }
}

function nounsOf(verbs: readonly Verb[]): Map<string, Verb[]> {
  const nouns = new Map<string, Verb[]>();
  for (const verb of verbs) nouns.set(verb.noun, [...(nouns.get(verb.noun) ?? []), verb]);
  return nouns;
}

function flagsOf(verb: Verb): string[] {
  return [...fieldsOf(verb).options.map((field) => `--${field.flag}`), ...ownFlags];
}

function bash(verbs: readonly Verb[]): string {
  const nouns = nounsOf(verbs);
  const verbCases = [...nouns].map(
    ([noun, own]) =>
      `    ${noun}) words="${[...own.map((verb) => verb.verb), ...(noun === 'usage' ? ['import'] : [])].join(' ')}" ;;`,
  );
  const flagCases = verbs.map((verb) => `    "${verb.noun} ${verb.verb}") words="${flagsOf(verb).join(' ')}" ;;`);
  return `# bss completion. Add to your shell: eval "$(bss completion bash)"
_bss() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${[...nouns.keys(), ...alone].join(' ')}"
  elif [ "$COMP_CWORD" -eq 2 ] && [ "\${current#-}" = "$current" ]; then
    case "\${COMP_WORDS[1]}" in
${verbCases.join('\n')}
    completion) words="${shells.join(' ')}" ;;
    esac
  else
    case "\${COMP_WORDS[1]} \${COMP_WORDS[2]}" in
${flagCases.join('\n')}
    *) words="${ownFlags.join(' ')}" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _bss bss
`;
}

function fish(verbs: readonly Verb[]): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const nouns = nounsOf(verbs);
  const lines = [
    '# bss completion. Add to your shell: bss completion fish | source',
    'complete -c bss -f',
    `complete -c bss -n __fish_use_subcommand -a ${quoted([...nouns.keys(), ...alone].join(' '))}`,
  ];
  for (const [noun, own] of nouns) {
    const names = own.map((verb) => verb.verb).join(' ');
    for (const verb of own) {
      lines.push(
        `complete -c bss -n '__fish_seen_subcommand_from ${noun}; and not __fish_seen_subcommand_from ${names}' -a ${verb.verb} -d ${quoted(verb.summary)}`,
      );
      for (const flag of flagsOf(verb)) {
        lines.push(
          `complete -c bss -n '__fish_seen_subcommand_from ${noun}; and __fish_seen_subcommand_from ${verb.verb}' -l ${flag.slice(2)}`,
        );
      }
    }
  }
  return `${lines.join('\n')}\n`;
}
