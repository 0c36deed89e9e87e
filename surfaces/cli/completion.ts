import { UsageError } from './input.ts';

const scripts: Readonly<Record<string, string>> = {
  bash: `# bss completion. Add to your shell: eval "$(bss completion bash)"
_bss() {
  local value about
  COMPREPLY=()
  while IFS=$'\\t' read -r value about; do
    if [ "$value" = ":files" ]; then compopt -o default 2>/dev/null; else COMPREPLY+=("$value"); fi
  done < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _bss bss
`,
  zsh: `#compdef bss
# bss completion. Add to your shell: eval "$(bss completion zsh)"
_bss() {
  local -a found
  local value about
  while IFS=$'\\t' read -r value about; do
    if [[ $value == :files ]]; then _files; else found+=("\${value//:/\\\\:}\${about:+:$about}"); fi
  done < <("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( $#found )) && _describe bss found
}
compdef _bss bss
`,
  fish: `# bss completion. Add to your shell: bss completion fish | source
function __bss_candidates
  set -l words (commandline -opc)
  set -l program $words[1]
  set -e words[1]
  set -l current (commandline -ct)
  for line in ($program complete -- $words "$current" 2>/dev/null)
    if test "$line" = ':files'
      __fish_complete_path "$current"
    else
      echo $line
    end
  end
end
complete -c bss -f -a '(__bss_candidates)'
`,
};

/** A script that asks `bss complete` at each tab: it knows the verbs of the build that answers, and live ids. */
export function completionScript(shell: string): string {
  const script = scripts[shell];
  if (script === undefined) {
    throw new UsageError(`completion: "${shell}" is none of ${Object.keys(scripts).join(', ')}.`, 'bss completion');
  }
  return script;
}
