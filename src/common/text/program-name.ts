/** Hints that people copy name the program as they have called it. */

/** The header in which the command line says how it was called. */
export const PROGRAM_HEADER = 'tailrace-program';

/** A command in a sentence. The first group is what is in front of it, the second the command. */
const COMMAND = /(^|[\s(`])(?<!npx )tailrace (?=([a-z]+(?:[:-][a-z]+)*)(?![\w-]))/g;
/** Commands that stand in sentences without backticks, besides those with a colon. */
const BARE = new Set([
  ...[
    'apps',
    'create',
    'destroy',
    'deploy',
    'logs',
    'ps',
    'promote',
    'push',
    'releases',
    'repair',
    'restart',
  ],
  ...['rollback', 'run', 'scale', 'serve', 'start'],
]);
/** Of those in hints, what the official command has too. */
const HEROKU = new Set([
  ...[
    'addons:destroy',
    'addons:docs',
    'addons:info',
    'addons:open',
    'addons:services',
    'apps',
    'buildpacks:add',
  ],
  ...[
    'buildpacks:remove',
    'buildpacks:set',
    'config:set',
    'drains',
    'logs',
    'pg:backups',
    'pg:backups:capture',
  ],
  ...['pg:ps', 'ps', 'ps:stop', 'releases', 'rollback', 'run'],
]);

/** A text whose commands are as they would be called; `heroku` for those alone that the official command has. */
export function nameProgram(text: string, program: string): string {
  if (program === 'tailrace' || !text.includes('tailrace ')) return text;
  return text.replace(COMMAND, (all, before: string, command: string) => {
    const isNamed =
      program === 'heroku'
        ? HEROKU.has(command)
        : before === '`' || command.includes(':') || BARE.has(command);
    return isNamed ? `${before}${program} ` : all;
  });
}

/** How whoever has sent a request was called: by its own word, or the official command by what it is. */
export function programOf(headers: Readonly<Record<string, string | string[] | undefined>>): string {
  if (headers[PROGRAM_HEADER] === 'npx tailrace') return 'npx tailrace';
  return String(headers['user-agent'] ?? '').startsWith('heroku-cli/') ? 'heroku' : 'tailrace';
}
