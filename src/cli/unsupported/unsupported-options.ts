/**
 * Options of Heroku's command that `tailrace` hasn't: what to do instead. Those that it has are options of its commands, also where they ask
 * for what is always so. `test/cli/heroku-commands.unit.test.ts` holds both to the list of all that Heroku's command has.
 */
import { UNSUPPORTED } from '../../apps/host/unsupported-features.ts';

const USES_JSON = 'Everything that is known is in what --json prints, for `jq` or a script to choose from.';
const ONE_USER =
  'A database has one user here, whose address pg:credentials:url prints; `tailrace pg:psql -c "CREATE ROLE …"` makes others.';
const APP_ROLES =
  'Rights are roles here: --role viewer, member or admin; a git remote is named with --remote, or the app with --app.';

/** By commands, the first that fits. */
const OPTIONS: readonly (readonly [commands: RegExp, options: string, instead: string])[] = [
  [
    /./,
    '--prompt',
    'Nothing is asked for here: leave --prompt out, and write the arguments that `tailrace help COMMAND` shows.',
  ],
  [/^access:/, '--permissions -p', APP_ROLES],
  [/^(apps|apps:list|list)$/, '--space --team --internal-routing -s -t -i', UNSUPPORTED.teams],
  [/^(apps:)?create$/, '--space --team --internal-routing -t', UNSUPPORTED.teams],
  [/^(apps:)?create$/, '--region --stack -s', UNSUPPORTED.machine],
  [
    /^(apps:)?create$/,
    '--features',
    'Make the app first; then labs:enable switches something on for it (`tailrace labs` lists what there is).',
  ],
  [/^(apps:)?create$/, '--locked --kernel', UNSUPPORTED.owners],
  [
    /^(apps:)?create$/,
    '--manifest -m',
    'heroku.yml builds images, which are not run here; `tailrace create --from app.json` makes an app as its app.json says.',
  ],
  [/^(apps:)?info$|^(ps|releases)$/, '--extended -x', USES_JSON],
  [/^domains$/, '--columns --csv --extended --filter --sort -c -x', USES_JSON],
  [/^domains:add$/, '--cert -c', UNSUPPORTED.certs],
  [
    /^drains$/,
    '--extended -x',
    '`tailrace drains:info DRAIN` shows all of one, and --json all of all of them.',
  ],
  [
    /^(auth:)?login$/,
    '--expires-in -e',
    'A login lasts until `tailrace logout`; `tailrace authorizations:create --expires-in 30d` makes a key that ends by itself.',
  ],
  [
    /^(auth:)?login$/,
    '--interactive -i',
    'Leave --interactive out: the address and the password are asked for by themselves, unless an identity provider is set.',
  ],
  [/^(auth:)?login$/, '--sso -s', 'Write --browser: it asks the identity provider that the server has.'],
  [
    /^authorizations:update$/,
    '--client-id --client-secret',
    'No other programs sign people in through this server: a key is changed with --description alone.',
  ],
  [/^addons:attach$|^(pg:)?psql$/, '--credential', ONE_USER],
  [/^pg:credentials:url$/, '--name -n', ONE_USER],
  [
    /^(pg:)?psql$/,
    '--channel-binding',
    'The database is on this machine: leave --channel-binding out; PGCHANNELBINDING sets it for psql.',
  ],
  [
    /^(pg|redis):promote$/,
    '--as',
    'What is promoted gets the name that it is promoted to; `tailrace addons:attach ADDON --as NAME` gives it another one.',
  ],
  [
    /^pg:backups$/,
    '--at --confirm --output --quiet --verbose --wait-interval -c -o -q -v',
    'It belongs to one of the commands below pg:backups: pg:backups:schedule --at, pg:backups:restore --confirm, pg:backups:download --output.',
  ],
  [
    /^pg:backups:/,
    '--verbose -v',
    'Leave it out: `tailrace pg:backups:info` shows what pg_dump and pg_restore had to say.',
  ],
  [
    /^local(:start)?$|^start$/,
    '--restart -r',
    'Leave it out: a process that ends is started again by itself, later each time.',
  ],
  [/^local(:start)?$|^start$/, '--start-cmd', 'Write a Procfile: its line `web: COMMAND` says the same.'],
  [
    /^ps:exec$/,
    '--ssh --status',
    'No SSH is in between: `tailrace ps:exec web.1` alone has this terminal, and `tailrace ps` says which dynos run.',
  ],
  [/^run(:|$)/, '--listen', 'Leave it out: the dyno connects to this command by itself, through the server.'],
  [/^version$/, '--verbose', 'version --json also names Node.js, and `tailrace doctor` looks at the rest.'],
];

/**
 * What to do instead of an option of Heroku's command; undefined: it has no such option, or `tailrace` has it too.
 * @param command by its name or an alias
 * @param option `--region` or `-r`, without a value
 */
export function unsupportedOption(command: string, option: string): string | undefined {
  return OPTIONS.find(
    ([commands, options]) => commands.test(command) && options.split(' ').includes(option),
  )?.[2];
}
