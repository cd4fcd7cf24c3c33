/**
 * All commands: under which heading of the help, by which names, in which file. A command is loaded without the
 * others, so that short ones are fast. `test/cli/lazy-commands.unit.test.ts` compares the names with the files.
 */
import type { Command } from 'commander';

type AddCommands = (program: Command) => void;
/** What a file's commands are called, with spaces between, and how they are loaded. */
type CommandEntry = readonly [names: string, load: () => Promise<AddCommands>];

/** Instead of names: it needs the other commands, and is never loaded alone. */
const NEEDS_ALL_COMMANDS = '';

/** In the order of the help, under its headings. */
const GROUPS: Readonly<Record<string, readonly CommandEntry[]>> = {
  'Run and look:': [
    ['start local local:start', async () => (await import('./server/start.ts')).startCommand],
    ['serve', async () => (await import('./server/serve.ts')).serveCommand],
    ['logs log:tail tail', async () => (await import('./logs/logs.ts')).logsCommands],
    [NEEDS_ALL_COMMANDS, async () => (await import('./logs/log.ts')).logCommand],
    ['ship', async () => (await import('./ship/ship.ts')).shipCommand],
    ['open apps:open', async () => (await import('./server/open.ts')).openCommand],
  ],
  'Apps:': [
    ['apps apps:list list create apps:create', async () => (await import('./apps/apps.ts')).appsCommands],
    [
      'info apps:info destroy apps:destroy apps:delete maintenance maintenance:on maintenance:off',
      async () => (await import('./apps/app-info.ts')).appInfoCommands,
    ],
    ['import', async () => (await import('./import/import.ts')).importCommand],
    ['apps:rename rename', async () => (await import('./apps/rename.ts')).renameCommand],
    ['push deploy', async () => (await import('./apps/push.ts')).pushCommand],
    ['git:remote git:clone git:credentials', async () => (await import('./apps/git-remote.ts')).gitCommands],
    [
      'releases releases:info rollback releases:rollback',
      async () => (await import('./releases/releases.ts')).releaseCommands,
    ],
    [
      'builds builds:info builds:output builds:cancel builds:cache:purge',
      async () => (await import('./releases/builds.ts')).buildCommands,
    ],
    [
      'releases:output releases:retry',
      async () => (await import('./releases/release-phase.ts')).releasePhaseCommands,
    ],
    ['promote pipelines:promote', async () => (await import('./releases/promote.ts')).promoteCommand],
    [
      'config config:get config:set config:add config:unset config:remove',
      async () => (await import('./apps/config.ts')).configCommands,
    ],
    [
      'buildpacks buildpacks:add buildpacks:set buildpacks:remove buildpacks:clear',
      async () => (await import('./apps/buildpacks.ts')).buildpackCommands,
    ],
    ['config:edit', async () => (await import('./apps/config-edit.ts')).configEditCommand],
    [
      'domains domains:add domains:remove domains:clear',
      async () => (await import('./apps/domains.ts')).domainCommands,
    ],
    [
      'certs pipelines',
      async () => (await import('./unsupported/unsupported-commands.ts')).unsupportedCommands,
    ],
    [
      'labs features labs:info features:info labs:enable features:enable labs:disable features:disable',
      async () => (await import('./apps/labs.ts')).labsCommands,
    ],
    ['export', async () => (await import('./apps/export.ts')).exportCommand],
  ],
  'Add-ons:': [
    [
      'addons addons:info addons:services addons:plans addons:docs addons:open',
      async () => (await import('./addons/addons.ts')).addonCommands,
    ],
    [
      'addons:create addons:add addons:destroy addons:remove addons:attach addons:detach addons:rename addons:upgrade addons:downgrade addons:wait',
      async () => (await import('./addons/addon-changes.ts')).addonChangeCommands,
    ],
    [
      'addons:register addons:unregister addons:manifests',
      async () => (await import('./addons/partners.ts')).partnerCommands,
    ],
    [
      'pg:psql psql redis:cli pg:info pg pg:promote redis:info redis redis:promote',
      async () => (await import('./addons/databases.ts')).databaseCommands,
    ],
    [
      'pg:backups pg:backups:capture pg:backups:restore pg:backups:download pg:backups:info pg:backups:delete pg:backups:cancel pg:backups:url pg:backups:schedule pg:backups:schedules pg:backups:unschedule',
      async () => (await import('./addons/backups.ts')).backupCommands,
    ],
    [
      'pg:reset pg:wait pg:credentials:url pg:ps pg:locks pg:kill pg:killall',
      async () => (await import('./addons/database-tools.ts')).databaseToolCommands,
    ],
  ],
  'Dynos:': [
    ['ps', async () => (await import('./dynos/ps.ts')).psCommand],
    ['ps:wait', async () => (await import('./dynos/ps-wait.ts')).psWaitCommand],
    [
      'ps:type ps:resize dyno:type dyno:resize resize',
      async () => (await import('./dynos/ps-type.ts')).psTypeCommand,
    ],
    ['ps:scale scale dyno:scale', async () => (await import('./dynos/scale.ts')).scaleCommand],
    ['ps:restart restart dyno:restart', async () => (await import('./dynos/restart.ts')).restartCommand],
    [
      'ps:stop stop ps:kill kill dyno:stop dyno:kill',
      async () => (await import('./dynos/stop.ts')).stopCommand,
    ],
    ['run run:detached', async () => (await import('./dynos/run.ts')).runCommands],
    ['attach ps:attach connect', async () => (await import('./dynos/attach.ts')).attachCommand],
    [
      'ps:exec exec run:inside ps:ssh ps:copy',
      async () => (await import('./dynos/ps-exec.ts')).psExecCommands,
    ],
  ],
  'Drains:': [
    ['drains', async () => (await import('./drains/drains.ts')).drainsCommand],
    ['drains:add', async () => (await import('./drains/drains-add.ts')).drainsAddCommand],
    ['drains:remove', async () => (await import('./drains/drains-remove.ts')).drainsRemoveCommand],
    ['drains:info', async () => (await import('./drains/drains-info.ts')).drainsInfoCommand],
    ['drains:update', async () => (await import('./drains/drains-update.ts')).drainsUpdateCommand],
    ['drains:test', async () => (await import('./drains/drains-test.ts')).drainsTestCommand],
    [
      'drains:pause drains:resume',
      async () => (await import('./drains/drains-pause.ts')).drainsPauseCommands,
    ],
    ['drains:replay', async () => (await import('./drains/drains-replay.ts')).drainsReplayCommand],
    ['drains:refused', async () => (await import('./drains/drains-refused.ts')).drainsRefusedCommand],
  ],
  'Senders, keys and people:': [
    ['tokens tokens:add tokens:remove', async () => (await import('./logs/tokens.ts')).tokensCommands],
    ['logs:limits logs:retention', async () => (await import('./logs/limits.ts')).limitsCommand],
    [
      'sources sources:add sources:remove',
      async () => (await import('./logs/source-rules.ts')).sourceRuleCommands,
    ],
    ['auth:token', async () => (await import('./server/auth-token.ts')).authTokenCommand],
    [
      'access access:add access:update access:remove',
      async () => (await import('./access/access.ts')).accessCommands,
    ],
    [
      'login auth:login logout auth:logout whoami auth:whoami',
      async () => (await import('./access/login.ts')).loginCommands,
    ],
    [
      'authorizations authorizations:info authorizations:create authorizations:update authorizations:rotate authorizations:revoke authorizations:destroy',
      async () => (await import('./server/authorizations.ts')).authorizationCommands,
    ],
  ],
  'The server:': [
    ['status', async () => (await import('./server/status.ts')).statusCommand],
    ['doctor', async () => (await import('./server/doctor.ts')).doctorCommand],
    ['server:restart', async () => (await import('./server/server-restart.ts')).serverRestartCommand],
    ['repair', async () => (await import('./server/repair.ts')).repairCommand],
    ['logs:delete', async () => (await import('./upkeep/logs-delete.ts')).logsDeleteCommand],
    ['backup', async () => (await import('./upkeep/backup.ts')).backupCommand],
    ['restore', async () => (await import('./upkeep/restore.ts')).restoreCommand],
    ['migrate', async () => (await import('./server/migrate.ts')).migrateCommand],
    [NEEDS_ALL_COMMANDS, async () => (await import('./completion/completion.ts')).completionCommand],
    ['version local:version', async () => (await import('./help.ts')).versionCommand],
  ],
  'Commands:': [[NEEDS_ALL_COMMANDS, async () => (await import('./help.ts')).helpCommand]],
};

/** Adds every command there is. */
export async function addAllCommands(program: Command): Promise<void> {
  for (const [heading, entries] of Object.entries(GROUPS)) {
    program.commandsGroup(heading);
    for (const add of await Promise.all(entries.map(([, load]) => load()))) add(program);
  }
}

/** Adds the command of this name alone; false when it takes all of them (help, a name that isn't known). */
export async function addSingleCommand(program: Command, name = ''): Promise<boolean> {
  const found = Object.values(GROUPS)
    .flat()
    .find(([names]) => names.split(' ').includes(name));
  if (!found || found[0] === NEEDS_ALL_COMMANDS) return false;
  (await found[1]())(program);
  return true;
}
