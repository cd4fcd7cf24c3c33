/** The buildpack of apps with a package.json. */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import semver from 'semver';
import type { BuildFolders, Buildpack } from '../buildpacks/buildpack.ts';
import { listTopFolder, readAppText } from '../steps/app-files.ts';
import { BuildError } from '../steps/build-error.ts';
import { type BuildShell, buildEnvironment } from '../steps/build-shell.ts';
import { copyTree } from '../steps/copy-tree.ts';
import { addProfileScript } from '../steps/profile-script.ts';
import { chooseManager, findLockFiles, type ManagerChoice } from './choose-manager.ts';
import { chooseNode, npmRangeFor, npmRunsOn } from './choose-node.ts';
import { readNpmVersion } from './installed-npm.ts';
import { type InstallPlan, planInstall } from './manager-commands.ts';
import { NpmTools } from './npm-tools.ts';
import { type PackageJson, readPackageJson } from './package-json.ts';

/** Runtimes and package managers of the app's own, in its slug. */
const RUNTIME_FOLDER = '.heroku';

export const nodejsBuildpack: Buildpack = {
  id: 'heroku/nodejs',

  async detect({ folder }) {
    return existsSync(join(folder, 'package.json')) ? 'Node.js' : undefined;
  },

  async compile(shell, folders) {
    const app = await requirePackageJson(shell.folder);
    const files = await listTopFolder(shell.folder);
    const [lock] = findLockFiles(files);
    const lockText = lock === undefined ? '' : ((await readAppText(shell.folder, lock)) ?? '');
    const manager = chooseManager(app, files, lockText);
    const nodeEnv = shell.config.NODE_ENV ?? 'production';
    shell.export({ NODE_ENV: nodeEnv });
    const runtime = new NodeRuntime(shell, folders);
    await runtime.useNode(app.engines.node);
    await runtime.useManager(manager);
    const hasNodeModules = await usesNodeModules(shell.folder);
    const plan = planInstall({
      manager,
      cache: folders.cache,
      hasNodeModules,
      config: shell.config,
      nodeEnv,
    });
    await buildPackages(shell, { app, files, manager, plan, cache: folders.cache, hasNodeModules });
    await addProfileScript(shell.folder, 'nodejs');
    shell.prependPath(join(shell.folder, 'node_modules', '.bin'));
  },

  async release({ folder }): Promise<Record<string, string>> {
    const app = await requirePackageJson(folder);
    const files = await listTopFolder(folder);
    if (app.scripts.start === undefined) return files.has('server.js') ? { web: 'node server.js' } : {};
    const [lock] = findLockFiles(files);
    const { name } = chooseManager(
      app,
      files,
      lock === undefined ? '' : ((await readAppText(folder, lock)) ?? ''),
    );
    return { web: `${name} start` };
  },
};

async function requirePackageJson(folder: string): Promise<PackageJson> {
  const app = await readPackageJson(folder);
  if (!app) throw new BuildError('There is no package.json in the top folder: add one, and commit it.');
  return app;
}

/** Of Yarn 2 and later: Plug'n'Play is what they do unless they are told otherwise. */
async function usesNodeModules(folder: string): Promise<boolean> {
  const text = (await readAppText(folder, '.yarnrc.yml')) ?? '';
  return /^nodeLinker:\s*["']?(node-modules|pnpm)/m.test(text);
}

interface PackagesToBuild {
  readonly app: PackageJson;
  readonly files: ReadonlySet<string>;
  readonly manager: ManagerChoice;
  readonly plan: InstallPlan;
  readonly cache: string;
  readonly hasNodeModules: boolean;
}

/** Installs, runs the app's scripts, and removes what only they needed, in Heroku's order. */
async function buildPackages(shell: BuildShell, input: PackagesToBuild): Promise<void> {
  const { app, files, manager, plan } = input;
  const runScript = async (name: string, ...flags: string[]): Promise<void> => {
    if (app.scripts[name] === undefined) return;
    shell.heading(`Running the script ${name}`);
    await shell.runOrFail(
      `The script ${name} in package.json failed`,
      manager.name,
      ['run', name, ...flags],
      {
        env: { npm_config_update_notifier: 'false' },
      },
    );
  };
  await runScript('heroku-prebuild');
  const hasPnpmWorkspace = files.has('pnpm-workspace.yaml');
  const hasPackages = app.hasPackages || hasPnpmWorkspace;
  // What a lock file says is what is deployed, whatever has been committed beside it.
  const isVendored = files.has('node_modules') && manager.lockFile === undefined;
  if (hasPackages && isVendored) {
    shell.warn(
      'node_modules is in the source, without a lock file: it is used as it is, and rebuilt. Better commit a lock file instead.',
    );
    await shell.runOrFail('npm rebuild failed', 'npm', ['rebuild'], { env: plan.env });
  } else if (hasPackages) {
    if (files.has('node_modules')) {
      shell.line(`node_modules is in the source: it is replaced by what ${manager.lockFile} says.`);
      await rm(join(shell.folder, 'node_modules'), { recursive: true, force: true });
    }
    await install(shell, input);
  }
  const flags = shell.config.NODE_BUILD_FLAGS?.split(/\s+/).filter(Boolean) ?? [];
  await runScript(
    app.scripts['heroku-postbuild'] === undefined ? 'build' : 'heroku-postbuild',
    ...(flags.length > 0 && manager.name === 'npm' ? ['--', ...flags] : flags),
  );
  // A package manager takes half a second to find that there are none.
  if (hasPackages && !isVendored && (app.mayHaveDevPackages || hasPnpmWorkspace))
    await pruneDevPackages(shell, plan, manager);
  await runScript('heroku-cleanup');
}

async function install(
  shell: BuildShell,
  { manager, plan, cache, hasNodeModules }: PackagesToBuild,
): Promise<void> {
  const { lockFile } = manager;
  shell.heading(`Installing packages${lockFile === undefined ? '' : ` (${lockFile})`}`);
  if (lockFile === undefined)
    shell.warn(
      `There is no lock file: what is installed may differ from build to build. Run ${plan.repair}, and commit the lock file.`,
    );
  // Plug'n'Play runs from a cache in the app's folder.
  const projectCache = join(shell.folder, '.yarn', 'cache');
  const keptCache = join(cache, 'yarn-pnp');
  const keepsProjectCache =
    manager.npmPackage === '@yarnpkg/cli-dist' && !hasNodeModules && !existsSync(projectCache);
  if (keepsProjectCache && existsSync(keptCache)) {
    await mkdir(dirname(projectCache), { recursive: true });
    await copyTree(shell, keptCache, projectCache);
  }
  let isOutdated = false;
  const status = await shell.run(manager.name, plan.install, { env: plan.env }, (line) => {
    isOutdated ||= plan.outdated.test(line);
  });
  if (status !== 0) {
    const command = `${manager.name} ${plan.install.join(' ')}`;
    throw new BuildError(
      isOutdated
        ? `${lockFile ?? 'The lock file'} doesn't match package.json: run ${plan.repair}, and commit ${lockFile ?? 'it'}.`
        : `The packages can't be installed: ${command} failed (status ${status}), and said why above.`,
    );
  }
  if (keepsProjectCache && existsSync(projectCache)) {
    await rm(keptCache, { recursive: true, force: true });
    await copyTree(shell, projectCache, keptCache);
  }
}

async function pruneDevPackages(shell: BuildShell, plan: InstallPlan, manager: ManagerChoice): Promise<void> {
  if (plan.prune === undefined) {
    shell.line(`Packages that only the build needs are kept: ${plan.pruneSkipped}.`);
    return;
  }
  shell.heading('Removing packages that only the build needs');
  await shell.runOrFail("They can't be removed", manager.name, plan.prune, { env: plan.env });
}

/** The Node.js and the package manager of one app: the server's own, or others in the slug. */
class NodeRuntime {
  private readonly shell: BuildShell;
  private readonly tools: NpmTools;
  private npmVersion = '';

  constructor(shell: BuildShell, folders: BuildFolders) {
    this.shell = shell;
    const { HOME } = process.env;
    this.tools = new NpmTools(folders.tools, { ...buildEnvironment(process.env), HOME }, shell.signal);
  }

  /** @param range `engines.node` */
  async useNode(range: string | undefined): Promise<void> {
    const { shell } = this;
    const installed = await shell.capture('node', ['--version']);
    // Asked of the server's own Node.js, if it has to be: on another one it may not even start.
    this.npmVersion =
      (await readNpmVersion(shell.env.PATH ?? '')) ??
      (await shell.capture('npm', ['--version'])).stdout.trim();
    if (this.npmVersion === '')
      throw new BuildError('There is no npm on the server: install it so that it is on its PATH.');
    const choice = chooseNode(range, installed.stdout);
    if (choice.kind === 'invalid')
      shell.warn(
        `engines.node in package.json is "${range}", which is no range of versions: it isn't followed. Write "22.x", say.`,
      );
    let { version } = choice.kind === 'fetched' ? { version: '' } : choice;
    if (choice.kind === 'fetched') {
      const name = `node-${process.platform}-${process.arch}`;
      try {
        version = await this.add('node', name, choice.range);
      } catch (error) {
        if (!(error instanceof BuildError) || shell.signal.aborted) throw error;
        shell.warn(
          `engines.node in package.json is "${range}": this server has Node.js ${installed.stdout.trim()} only, and the app is built and run with that. ${error.message}`,
        );
        version = installed.stdout.trim().replace(/^v/, '');
      }
    }
    shell.heading(
      `Node.js ${version}${range === undefined ? ", the server's own (engines.node in package.json isn't set)" : ''}`,
    );
    if (!npmRunsOn(this.npmVersion, version))
      this.npmVersion = await this.add('npm', 'npm', npmRangeFor(version));
  }

  async useManager({ name, npmPackage, version }: ManagerChoice): Promise<void> {
    const { shell } = this;
    const installed = name === 'npm' ? this.npmVersion : undefined;
    const isInstalled =
      installed !== undefined && (version === undefined || semver.satisfies(installed, version));
    const used = isInstalled ? installed : await this.add(name, npmPackage, version ?? '*');
    shell.heading(`${name} ${used}`);
  }

  /** Copies a program into the app's folder, so that it goes where the slug goes. @returns its version */
  private async add(name: string, npmPackage: string, range: string): Promise<string> {
    const { shell } = this;
    const tool = await this.tools.get(npmPackage, range);
    const folder = join(shell.folder, RUNTIME_FOLDER, name);
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(shell.folder, RUNTIME_FOLDER), { recursive: true });
    await copyTree(shell, tool.folder, folder);
    const bin = join(RUNTIME_FOLDER, name, 'node_modules', '.bin');
    shell.prependPath(join(shell.folder, bin));
    return tool.version;
  }
}
