/**
 * Which file has which command, so that one can run without the weight of the others: that halves the time of a short one.
 * `test/cli/commands-alone.test.ts` holds it to the list in `commands.ts`.
 */
import type { Command } from 'commander';

type AddCommand = (program: Command) => void;

const addon = async (): Promise<AddCommand> => (await import('./addons.ts')).addonCommands;
const appInfo = async (): Promise<AddCommand> => (await import('./app-info.ts')).appInfoCommands;
const apps = async (): Promise<AddCommand> => (await import('./apps.ts')).appsCommands;
const authToken = async (): Promise<AddCommand> => (await import('./auth-token.ts')).authTokenCommand;
const authorization = async (): Promise<AddCommand> =>
  (await import('./authorizations.ts')).authorizationCommands;
const config = async (): Promise<AddCommand> => (await import('./config.ts')).configCommands;
const doctor = async (): Promise<AddCommand> => (await import('./doctor.ts')).doctorCommand;
const domain = async (): Promise<AddCommand> => (await import('./domains.ts')).domainCommands;
const drains = async (): Promise<AddCommand> => (await import('./drains.ts')).drainsCommand;
const drainsAdd = async (): Promise<AddCommand> => (await import('./drains-add.ts')).drainsAddCommand;
const drainsInfo = async (): Promise<AddCommand> => (await import('./drains-info.ts')).drainsInfoCommand;
const drainsPause = async (): Promise<AddCommand> => (await import('./drains-pause.ts')).drainsPauseCommands;
const drainsRefused = async (): Promise<AddCommand> =>
  (await import('./drains-refused.ts')).drainsRefusedCommand;
const drainsRemove = async (): Promise<AddCommand> =>
  (await import('./drains-remove.ts')).drainsRemoveCommand;
const drainsReplay = async (): Promise<AddCommand> =>
  (await import('./drains-replay.ts')).drainsReplayCommand;
const drainsTest = async (): Promise<AddCommand> => (await import('./drains-test.ts')).drainsTestCommand;
const drainsUpdate = async (): Promise<AddCommand> =>
  (await import('./drains-update.ts')).drainsUpdateCommand;
const exporting = async (): Promise<AddCommand> => (await import('./export.ts')).exportCommand;
const git = async (): Promise<AddCommand> => (await import('./git-remote.ts')).gitCommands;
const labs = async (): Promise<AddCommand> => (await import('./labs.ts')).labsCommands;
const logs = async (): Promise<AddCommand> => (await import('./logs.ts')).logsCommand;
const migrate = async (): Promise<AddCommand> => (await import('./migrate.ts')).migrateCommand;
const open = async (): Promise<AddCommand> => (await import('./open.ts')).openCommand;
const ps = async (): Promise<AddCommand> => (await import('./ps.ts')).psCommand;
const push = async (): Promise<AddCommand> => (await import('./push.ts')).pushCommand;
const release = async (): Promise<AddCommand> => (await import('./releases.ts')).releaseCommands;
const restart = async (): Promise<AddCommand> => (await import('./restart.ts')).restartCommand;
const run = async (): Promise<AddCommand> => (await import('./run.ts')).runCommands;
const scale = async (): Promise<AddCommand> => (await import('./scale.ts')).scaleCommand;
const serve = async (): Promise<AddCommand> => (await import('./serve.ts')).serveCommand;
const ship = async (): Promise<AddCommand> => (await import('./ship.ts')).shipCommand;
const sources = async (): Promise<AddCommand> => (await import('./sources.ts')).sourcesCommands;
const start = async (): Promise<AddCommand> => (await import('./start.ts')).startCommand;
const status = async (): Promise<AddCommand> => (await import('./status.ts')).statusCommand;
const stop = async (): Promise<AddCommand> => (await import('./stop.ts')).stopCommand;
const tokens = async (): Promise<AddCommand> => (await import('./tokens.ts')).tokensCommands;

/** By the command's name. What isn't here needs all of them. */
const ALONE: Readonly<Record<string, () => Promise<AddCommand>>> = {
  addons: addon,
  'addons:create': addon,
  'addons:add': addon,
  'addons:destroy': addon,
  'addons:remove': addon,
  'addons:services': addon,
  info: appInfo,
  'apps:info': appInfo,
  destroy: appInfo,
  'apps:destroy': appInfo,
  maintenance: appInfo,
  'maintenance:on': appInfo,
  'maintenance:off': appInfo,
  apps: apps,
  create: apps,
  'apps:create': apps,
  'auth:token': authToken,
  authorizations: authorization,
  'authorizations:create': authorization,
  'authorizations:revoke': authorization,
  config: config,
  'config:get': config,
  'config:set': config,
  'config:add': config,
  'config:unset': config,
  'config:remove': config,
  doctor: doctor,
  domains: domain,
  'domains:add': domain,
  'domains:remove': domain,
  drains: drains,
  'drains:add': drainsAdd,
  'drains:info': drainsInfo,
  'drains:pause': drainsPause,
  'drains:resume': drainsPause,
  'drains:refused': drainsRefused,
  'drains:remove': drainsRemove,
  'drains:replay': drainsReplay,
  'drains:test': drainsTest,
  'drains:update': drainsUpdate,
  export: exporting,
  'git:remote': git,
  'git:credentials': git,
  labs: labs,
  'labs:enable': labs,
  'labs:disable': labs,
  logs: logs,
  'log:tail': logs,
  migrate: migrate,
  open: open,
  'apps:open': open,
  ps: ps,
  push: push,
  deploy: push,
  releases: release,
  'releases:info': release,
  rollback: release,
  'releases:rollback': release,
  'ps:restart': restart,
  restart: restart,
  run: run,
  'run:detached': run,
  'ps:scale': scale,
  scale: scale,
  serve: serve,
  ship: ship,
  sources: sources,
  'sources:add': sources,
  'sources:remove': sources,
  start: start,
  status: status,
  'ps:stop': stop,
  stop: stop,
  'ps:kill': stop,
  tokens: tokens,
  'tokens:add': tokens,
  'tokens:remove': tokens,
};

/** Adds the command of this name alone; false when it takes all of them (help, a name that isn't known). */
export async function addAlone(program: Command, name: string | undefined): Promise<boolean> {
  if (name === undefined || !Object.hasOwn(ALONE, name)) return false;
  (await ALONE[name]())(program);
  return true;
}
