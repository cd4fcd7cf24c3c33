/**
 * Writes the man page, dist/man/tailrace.1: every command with its options, as the command's own help has them, and every setting.
 * Part of a build, so that it can't say anything else than they do.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Writes the page of what was built in `root`. */
export async function writeManPage(root) {
  const built = (...path) => import(pathToFileURL(join(root, 'dist', 'src', ...path)).href);
  const { addAllCommands } = await built('cli', 'commands.js');
  const { TypedCommand } = await built('common', 'command-line', 'typed-command.js');
  const { SETTINGS } = await built('common', 'config', 'settings-table.js');
  const { version, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const program = new TypedCommand('tailrace').enablePositionalOptions();
  await addAllCommands(program);
  mkdirSync(join(root, 'dist', 'man'), { recursive: true });
  const page = manPage({ program, settings: Object.values(SETTINGS), version, description });
  writeFileSync(join(root, 'dist', 'man', 'tailrace.1'), page);
}

/** The page in man(7)'s macros. */
function manPage({ program, settings, version, description }) {
  const lines = [
    `.TH TAILRACE 1 "" ${quoted(`tailrace ${version}`)} "User Commands"`,
    '.SH NAME',
    'tailrace \\- log router, and a small platform for apps around it',
    '.SH SYNOPSIS',
    '.B tailrace',
    '.I command',
    '.RI [ options ]',
    '.SH DESCRIPTION',
    text(description),
    '.PP',
    text(
      '`tailrace start` runs the Procfile of a folder with everything around it; `tailrace serve` is a server.',
    ),
    text('The other commands talk to a server that runs.'),
  ];
  const help = program.createHelp();
  for (const [heading, commands] of byHeading(help.visibleCommands(program))) {
    lines.push(`.SH ${quoted(heading.replace(/:$/, '').toUpperCase())}`);
    for (const command of commands) lines.push(...commandSection(help, command));
  }
  lines.push(
    '.SH ENVIRONMENT',
    text('Settings of a server. Clients read TAILRACE_URL, TAILRACE_API_KEY and TAILRACE_APP.'),
  );
  for (const { variable, fallback, meaning } of settings)
    lines.push(...entry(variable, fallback === '' ? meaning : `${meaning} (default: ${fallback})`));
  lines.push(
    '.SH FILES',
    ...entry('.tailrace/', 'the data folder of `tailrace start`, beside the Procfile'),
    ...entry(
      '$XDG_DATA_HOME/tailrace',
      'the data folder of `tailrace serve`, unless TAILRACE_DATA says otherwise',
    ),
    '.SH EXIT STATUS',
    text(
      '0, or 1 with one sentence on the standard error that says what to do. `run` and `ps:exec` end as what they run.',
    ),
    '.SH SEE ALSO',
    text('The folder docs of the package, beginning with docs/README.md.'),
  );
  return `${lines.join('\n')}\n`;
}

function byHeading(commands) {
  const groups = new Map();
  for (const command of commands) {
    const heading = command.helpGroup() || 'Commands:';
    groups.set(heading, [...(groups.get(heading) ?? []), command]);
  }
  return groups;
}

function commandSection(help, command) {
  // Commander prints `name|alias [options] <arguments>`.
  const lines = [
    '.SS',
    `\\fB${roff(help.subcommandTerm(command))}\\fR`,
    text(sentence(command.description())),
  ];
  for (const option of help.visibleOptions(command)) {
    if (option.long === '--help') continue;
    lines.push(...entry(help.optionTerm(option), help.optionDescription(option)));
  }
  return lines;
}

/** A term, and what it means, indented. */
function entry(term, meaning) {
  return ['.TP', `\\fB${roff(term)}\\fR`, text(meaning)];
}

function sentence(words) {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? '' : '.'}`;
}

/** A paragraph: `code` in bold. A line must not begin with a dot or an apostrophe, which would be a request. */
function text(words) {
  const [first = '', ...others] = words.split('`').map(roff);
  const parts = others.map((part, i) => (i % 2 === 0 ? `\\fB${part}` : `\\fR${part}`));
  return `\\&${first}${parts.join('')}${others.length % 2 === 1 ? '\\fR' : ''}`;
}

/** Characters that mean something to troff, as themselves; those that it doesn't have on every device, by number. */
function roff(words) {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll(
      /[^\x20-\x7e]/gu,
      (one) => `\\[u${one.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}

function quoted(words) {
  return `"${roff(words).replaceAll('"', '\\(dq')}"`;
}
