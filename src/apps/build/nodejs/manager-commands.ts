/** How each package manager installs what its lock file says, and removes what only the build needs. */
import { join } from 'node:path';
import type { ManagerChoice } from './choose-manager.ts';

/** What an install has to know of the app, beside its package manager. */
export interface InstallPlanInput {
  readonly manager: Pick<ManagerChoice, 'name' | 'npmPackage' | 'lockFile'>;
  /** Folder of the app's cache. */
  readonly cache: string;
  /** Of Yarn 2 and later: is there a `node_modules` (`nodeLinker`)? */
  readonly hasNodeModules: boolean;
  readonly config: Readonly<Record<string, string>>;
  /** While the app is built. */
  readonly nodeEnv: string;
}

export interface InstallPlan {
  readonly install: readonly string[];
  /** Undefined: nothing is pruned. */
  readonly prune: readonly string[] | undefined;
  /** Why nothing is pruned. */
  readonly pruneSkipped: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What it prints when the lock file doesn't match package.json. */
  readonly outdated: RegExp;
  /** What brings the lock file up to date, on the developer's machine. */
  readonly repair: string;
}

const OUTDATED_NPM = /can only install packages when your package\.json/;
const OUTDATED_PNPM = /ERR_PNPM_(OUTDATED_LOCKFILE|LOCKFILE_CONFIG_MISMATCH|NO_LOCKFILE)/;
const OUTDATED_YARN = /lockfile needs to be updated/;
const OUTDATED_BERRY = /YN0028|lockfile would have been (modified|created)/;

/** Commands and environment of the app's package manager. */
export function planInstall(input: InstallPlanInput): InstallPlan {
  const { manager, cache, config, nodeEnv } = input;
  const frozen = manager.lockFile !== undefined;
  // Package managers read these themselves, and some mean other things by them.
  const cleared = { NPM_CONFIG_PRODUCTION: undefined, YARN_PRODUCTION: undefined };
  if (manager.name === 'npm') {
    const production = config.NPM_CONFIG_PRODUCTION === 'true';
    return {
      install: [frozen ? 'ci' : 'install', production ? '--omit=dev' : '--include=dev'],
      ...prune(
        ['prune', '--omit=dev'],
        skipReason(nodeEnv, { NPM_CONFIG_PRODUCTION: config.NPM_CONFIG_PRODUCTION === 'false' }),
      ),
      env: {
        ...cleared,
        npm_config_cache: join(cache, 'npm'),
        npm_config_audit: 'false',
        npm_config_fund: 'false',
        npm_config_update_notifier: 'false',
      },
      outdated: OUTDATED_NPM,
      repair: 'npm install',
    };
  }
  if (manager.name === 'pnpm')
    return {
      install: ['install', frozen ? '--frozen-lockfile' : '--no-frozen-lockfile', '--prod=false'],
      ...prune(
        ['prune', '--prod', '--ignore-scripts'],
        skipReason(nodeEnv, { PNPM_SKIP_PRUNING: config.PNPM_SKIP_PRUNING === 'true' }),
      ),
      env: {
        ...cleared,
        CI: 'true', // it asks nothing
        npm_config_store_dir: join(cache, 'pnpm'),
        // A link into the store would let the app's build change what the next one gets.
        npm_config_package_import_method: 'clone-or-copy',
        npm_config_manage_package_manager_versions: 'false',
        npm_config_update_notifier: 'false',
      },
      outdated: OUTDATED_PNPM,
      repair: 'pnpm install',
    };
  if (manager.npmPackage === 'yarn') {
    const production = config.YARN_PRODUCTION === 'true';
    const install = [
      'install',
      ...(frozen ? ['--frozen-lockfile'] : []),
      '--non-interactive',
      '--ignore-engines',
    ];
    return {
      install: [...install, `--production=${production}`],
      ...prune(
        [...install, '--production=true', '--ignore-scripts', '--prefer-offline'],
        skipReason(nodeEnv, { YARN_PRODUCTION: config.YARN_PRODUCTION === 'false' }),
      ),
      env: { ...cleared, YARN_CACHE_FOLDER: join(cache, 'yarn') },
      outdated: OUTDATED_YARN,
      repair: 'yarn install',
    };
  }
  return {
    install: ['install', frozen ? '--immutable' : '--no-immutable'],
    ...prune(
      ['workspaces', 'focus', '--all', '--production'],
      input.hasNodeModules
        ? skipReason(nodeEnv, { YARN2_SKIP_PRUNING: config.YARN2_SKIP_PRUNING === 'true' })
        : "Plug'n'Play keeps packages in .yarn/cache",
    ),
    env: {
      ...cleared,
      YARN_ENABLE_TELEMETRY: '0',
      // Plug'n'Play runs from the cache: then it is part of the app.
      YARN_ENABLE_GLOBAL_CACHE: 'false',
      ...(input.hasNodeModules ? { YARN_CACHE_FOLDER: join(cache, 'yarn-berry') } : {}),
    },
    outdated: OUTDATED_BERRY,
    repair: 'yarn install',
  };
}

/** @param switches config vars that skip it: whether each says so */
function skipReason(nodeEnv: string, switches: Readonly<Record<string, boolean>>): string | undefined {
  const said = Object.entries(switches).find(([, skips]) => skips);
  if (said) return `${said[0]} says so`;
  return nodeEnv === 'production' ? undefined : "NODE_ENV isn't production";
}

function prune(
  command: readonly string[],
  skipped: string | undefined,
): Pick<InstallPlan, 'prune' | 'pruneSkipped'> {
  return { prune: skipped === undefined ? command : undefined, pruneSkipped: skipped };
}
