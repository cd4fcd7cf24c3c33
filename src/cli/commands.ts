/** All commands, in the order of the help. */
import type { Command } from 'commander';
import { addonCommands } from './addons.ts';
import { appInfoCommands } from './app-info.ts';
import { appsCommands } from './apps.ts';
import { authTokenCommand } from './auth-token.ts';
import { authorizationCommands } from './authorizations.ts';
import { completionCommand } from './completion.ts';
import { configCommands } from './config.ts';
import { doctorCommand } from './doctor.ts';
import { domainCommands } from './domains.ts';
import { drainsCommand } from './drains.ts';
import { drainsAddCommand } from './drains-add.ts';
import { drainsInfoCommand } from './drains-info.ts';
import { drainsPauseCommands } from './drains-pause.ts';
import { drainsRefusedCommand } from './drains-refused.ts';
import { drainsRemoveCommand } from './drains-remove.ts';
import { drainsReplayCommand } from './drains-replay.ts';
import { drainsTestCommand } from './drains-test.ts';
import { drainsUpdateCommand } from './drains-update.ts';
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
import { sourcesCommands } from './sources.ts';
import { startCommand } from './start.ts';
import { statusCommand } from './status.ts';
import { stopCommand } from './stop.ts';
import { tokensCommands } from './tokens.ts';

/** In the order of the help, under its headings. */
const GROUPS = {
  'Run and look:': [startCommand, serveCommand, logsCommand, logCommand, shipCommand, openCommand],
  'Apps:': [
    appsCommands,
    appInfoCommands,
    pushCommand,
    gitCommands,
    releaseCommands,
    configCommands,
    addonCommands,
    domainCommands,
    labsCommands,
    exportCommand,
  ],
  'Dynos:': [psCommand, scaleCommand, restartCommand, stopCommand, runCommands],
  'Drains:': [
    drainsCommand,
    drainsAddCommand,
    drainsRemoveCommand,
    drainsInfoCommand,
    drainsUpdateCommand,
    drainsTestCommand,
    drainsPauseCommands,
    drainsReplayCommand,
    drainsRefusedCommand,
  ],
  'Senders and keys:': [tokensCommands, sourcesCommands, authTokenCommand, authorizationCommands],
  'The server:': [statusCommand, doctorCommand, migrateCommand, completionCommand],
} as const;

/** Adds every command there is. */
export function addCommands(program: Command): void {
  for (const [heading, commands] of Object.entries(GROUPS)) {
    program.commandsGroup(heading);
    for (const add of commands) add(program);
  }
}
