#!/usr/bin/env node
/** The `tailrace` command. One file a command in this folder; they talk HTTP to a server, like any client. */
import { Command, CommanderError } from 'commander';
import { TailraceError } from '../errors.ts';
import { VERSION } from '../version.ts';
import { addonCommands } from './addons.ts';
import { appInfoCommands } from './app-info.ts';
import { appsCommands } from './apps.ts';
import { authTokenCommand } from './auth-token.ts';
import { authorizationCommands } from './authorizations.ts';
import { completionCommand } from './completion.ts';
import { configCommands } from './config.ts';
import { domainCommands } from './domains.ts';
import { drainsCommand } from './drains.ts';
import { drainsAddCommand } from './drains-add.ts';
import { drainsInfoCommand } from './drains-info.ts';
import { drainsPauseCommands } from './drains-pause.ts';
import { drainsRefusedCommand } from './drains-refused.ts';
import { drainsRemoveCommand } from './drains-remove.ts';
import { drainsReplayCommand } from './drains-replay.ts';
import { drainsTestCommand } from './drains-test.ts';
import { exportCommand } from './export.ts';
import { gitCommands } from './git-remote.ts';
import { labsCommands } from './labs.ts';
import { logCommand } from './log.ts';
import { logsCommand } from './logs.ts';
import { migrateCommand } from './migrate.ts';
import { openCommand } from './open.ts';
import { psCommand } from './ps.ts';
import { pushCommand } from './push.ts';
import { releaseCommands } from './releases.ts';
import { restartCommand } from './restart.ts';
import { runCommands } from './run.ts';
import { scaleCommand } from './scale.ts';
import { serveCommand } from './serve.ts';
import { shipCommand } from './ship.ts';
import { stopsByItself } from './signals.ts';
import { sourcesCommands } from './sources.ts';
import { startCommand } from './start.ts';
import { statusCommand } from './status.ts';
import { stopCommand } from './stop.ts';
import { tokensCommands } from './tokens.ts';

const program = new Command('tailrace')
  .description('A log router: every line of an app in one stream, out to live tails and drains.')
  .version(VERSION)
  .showSuggestionAfterError(true)
  .enablePositionalOptions()
  .exitOverride();

const commands = [
  startCommand,
  serveCommand,
  logsCommand,
  logCommand,
  drainsCommand,
  drainsAddCommand,
  drainsRemoveCommand,
  drainsInfoCommand,
  drainsPauseCommands,
  drainsRefusedCommand,
  drainsReplayCommand,
  drainsTestCommand,
  appsCommands,
  psCommand,
  scaleCommand,
  restartCommand,
  tokensCommands,
  sourcesCommands,
  shipCommand,
  openCommand,
  statusCommand,
  migrateCommand,
  authTokenCommand,
  authorizationCommands,
  appInfoCommands,
  configCommands,
  releaseCommands,
  addonCommands,
  domainCommands,
  stopCommand,
  pushCommand,
  runCommands,
  gitCommands,
  exportCommand,
  labsCommands,
  completionCommand,
];
for (const add of commands) add(program);

// A reader that has seen enough (`| head`) is no error. Who has something to stop first (dynos) does that by itself.
process.stdout.on('error', (error: Error & { code?: string }) => {
  if (error.code !== 'EPIPE') throw error;
  if (!stopsByItself()) process.exit(0);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    process.stderr.write(` ›   Error: ${explain(error)}\n`);
    process.exitCode = 1;
  }
}

/** Expected errors are one sentence; others keep their trace, since somebody has to mend them. */
function explain(error: unknown): string {
  if (error instanceof TailraceError) return error.message;
  if (
    error instanceof Error &&
    ['ProcfileError', 'EnvFileError', 'FormationError', 'RunnerActiveError'].includes(error.name)
  )
    return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
