/** The first word of a command, and what follows it. */
const FIRST_WORD = /^\s*([\w-]+)(?=\s|$)/;

/**
 * What a one-off dyno runs: a command whose first word is a process type is that type's command, and what follows it comes
 * behind: `rake db:migrate` with `rake: bundle exec rake` in the Procfile is `bundle exec rake db:migrate`, as on Heroku.
 */
export function substituteProcessType(
  command: string,
  entries: readonly { readonly type: string; readonly command: string }[],
): string {
  const [start, word] = FIRST_WORD.exec(command) ?? [];
  const found = entries.find(({ type }) => type === word);
  return found === undefined || start === undefined
    ? command
    : `${found.command}${command.slice(start.length)}`.trimEnd();
}
