import { Argument, type Command } from 'commander';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** `tailrace completion bash|zsh|fish`: a script that completes command names. */
export function completionCommand(program: Command): void {
  program
    .command('completion')
    .description('print a script that completes commands: source <(tailrace completion bash)')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action((shell: string) => {
      const names = program
        .createHelp()
        .visibleCommands(program)
        .flatMap((command) => [command.name(), ...command.aliases()]);
      process.stdout.write(completionScript(shell, names.sort()));
    });
}

function completionScript(shell: string, names: readonly string[]): string {
  const words = names.join(' ');
  if (shell === 'fish') return `complete -c tailrace -n __fish_use_subcommand -f -a '${words}'\n`;
  const load = shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : '';
  // A colon ends a word for bash: what comes before it is removed from every completion.
  return `${load}_tailrace() {
  local line="\${COMP_LINE:0:$COMP_POINT}"
  local word="\${line##*[[:space:]]}"
  [[ "\${line% *}" == *" "* ]] && return
  COMPREPLY=($(compgen -W '${words}' -- "$word"))
  [[ "$word" == *:* ]] && COMPREPLY=("\${COMPREPLY[@]#"\${word%:*}:"}")
}
complete -o default -F _tailrace tailrace
`;
}
