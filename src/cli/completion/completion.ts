import { Argument, type Command } from 'commander';
import { completeWord } from './complete-word.ts';
import { findValues } from './find-values.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
/** Printed in the place of candidates: the shell completes names of files. */
const FILES = ':files';

/** `tailrace completion bash|zsh|fish`: a script that completes commands, options, and what the server knows by name. */
export function completionCommand(program: Command): void {
  program
    .command('completion')
    .description(
      'print a script that completes commands, options, apps, dynos …: source <(tailrace completion bash)',
    )
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action((shell: (typeof SHELLS)[number]) => {
      process.stdout.write(SCRIPTS[shell]);
    });
  program
    .command('complete [words...]', { hidden: true })
    .description('print what the last of these words may become')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => {
      const found = completeWord(program, words);
      const word = words.at(-1) ?? '';
      const values = found.kind === 'words' ? found.words : await findValues(found, words);
      const candidates = values.filter((value) => value.startsWith(word));
      if (found.kind === 'files') process.stdout.write(`${FILES}\n`);
      else if (candidates.length > 0) process.stdout.write(`${candidates.join('\n')}\n`);
    });
}

// `--` keeps options on the line from being the command's own.
const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  // A colon and an equals sign end a word for bash: what comes before them is removed from every candidate.
  bash: `_tailrace() {
  local line="\${COMP_LINE:0:$COMP_POINT}" word found
  local -a words
  read -ra words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  word="\${words[\${#words[@]}-1]}"
  mapfile -t COMPREPLY < <("\${words[0]}" complete -- "\${words[@]:1}" 2>/dev/null)
  if [[ "\${COMPREPLY[0]}" == ${FILES} ]]; then
    COMPREPLY=()
    compopt -o default
    return
  fi
  [[ "$word" == *:* ]] && COMPREPLY=("\${COMPREPLY[@]#"\${word%:*}:"}")
}
complete -F _tailrace tailrace
`,
  zsh: `#compdef tailrace
_tailrace() {
  local -a found
  found=(\${(f)"$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if [[ "\${found[1]}" == ${FILES} ]]; then
    _files
  else
    compadd -- "\${found[@]}"
  fi
}
compdef _tailrace tailrace
`,
  fish: `function __tailrace_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] complete -- $words[2..-1] 2>/dev/null)
  if test "$found[1]" = ${FILES}
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $found
  end
end
complete -c tailrace -f -a '(__tailrace_complete)'
`,
};
