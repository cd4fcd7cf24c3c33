/** The viewer's command: serving is the default; `search`, `import`, `export`, `delete` and `backup` talk to one that runs. */
import { type Command, CommanderError } from 'commander';
import { handleOutputErrors } from '../../src/common/command-line/output-errors.ts';
import { TypedCommand, unknownCommand } from '../../src/common/command-line/typed-command.ts';
import { TailraceError } from '../../src/common/errors.ts';
import { VERSION } from '../../src/common/package-info.ts';
import { addBackupCommands } from './cli/backup.ts';
import { addDeleteCommand } from './cli/delete.ts';
import { addExportCommand } from './cli/export.ts';
import { addImportCommand } from './cli/import.ts';
import { addSearchCommand, SEARCH_FAILED } from './cli/search.ts';
import { addSqlCommand } from './cli/sql.ts';
import { writeNotice } from './cli/viewer-notice.ts';
import { readViewerSettings } from './config/settings.ts';
import { flagOf, SECRET_SETTINGS, VIEWER_SETTINGS } from './config/settings-table.ts';

let isServer = false;
handleOutputErrors(
  () => process.exit(0),
  () => isServer,
);
const isSearch = process.argv[2] === 'search';

function program(): Command {
  const command = new TypedCommand('viewer')
    .description('Keeps log lines, finds them again, and says when something is wrong.')
    .version(VERSION)
    .exitOverride()
    .allowExcessArguments(false)
    // What stands behind a command is the command's: `search --archive` isn't the server's `--archive FOLDER`.
    .enablePositionalOptions()
    .configureHelp({ helpWidth: 110 })
    .action(async (flags: Record<string, string | undefined>) => {
      const given = Object.fromEntries(
        Object.values(VIEWER_SETTINGS).map(({ variable }) => [variable, flags[variable]]),
      );
      const settings = readViewerSettings(process.env, given);
      isServer = true;
      const { serve } = await import('./cli/serve.ts');
      // As an add-on it ends with the server that started it, and its page is at that server.
      const { TAILRACE_ADDON: pageUrl } = process.env;
      await serve(settings, pageUrl === undefined ? undefined : { parent: process.ppid, pageUrl });
    });
  for (const { variable, fallback, meaning } of Object.values(VIEWER_SETTINGS)) {
    if (SECRET_SETTINGS.includes(variable)) continue;
    const option = command.createOption(
      `${flagOf(variable)} <value>`,
      `${variable}: ${meaning}${fallback && ` (${fallback})`}`,
    );
    option.attributeName = () => variable;
    command.addOption(option);
  }
  command.addHelpText(
    'after',
    `\nOnly in the environment:\n${Object.values(VIEWER_SETTINGS)
      .filter(({ variable }) => SECRET_SETTINGS.includes(variable))
      .map(({ variable, meaning }) => `  ${variable}  ${meaning}`)
      .join('\n')}`,
  );
  addSearchCommand(command);
  addImportCommand(command);
  addExportCommand(command);
  addSqlCommand(command);
  addDeleteCommand(command);
  addBackupCommands(command);
  return command;
}

async function run(): Promise<void> {
  const command = program();
  const unknown = unknownCommand(command, process.argv.slice(2));
  if (unknown !== undefined)
    throw new TailraceError(
      'bad_request',
      `There is no command ${unknown}: there are ${command.commands.map((one) => one.name()).join(', ')}. Without one, the viewer serves.`,
    );
  await command.parseAsync(process.argv);
}

run().catch((error: unknown) => {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : isSearch ? SEARCH_FAILED : 1;
    return;
  }
  // The parts that it has in common with the log router name settings as they are called there.
  const text =
    error instanceof TailraceError
      ? error.message
          .replaceAll('TAILRACE_SYSLOG_TLS_CERT', 'VIEWER_TLS_CERT')
          .replaceAll('TAILRACE_', 'VIEWER_')
          // A command of the log router's reads its own.
          .replaceAll('`VIEWER_DATA=', '`TAILRACE_DATA=')
      : error instanceof Error
        ? error.stack
        : String(error);
  writeNotice(`Error: ${text}`);
  process.exitCode = isSearch ? SEARCH_FAILED : 1;
});
