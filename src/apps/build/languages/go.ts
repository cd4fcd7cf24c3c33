/** The buildpack of Go modules: each main package becomes a program in `bin`. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Buildpack } from '../buildpacks/buildpack.ts';
import { readAppText } from '../steps/app-files.ts';
import { BuildError } from '../steps/build-error.ts';
import type { BuildShell } from '../steps/build-shell.ts';
import { runHook } from '../steps/hook.ts';
import { addProfileScript } from '../steps/profile-script.ts';
import { type GoMod, goBinaryName, isGoAtLeast, parseGoMod } from './go-mod.ts';

/** The main packages, for the Procfile's default. */
const BIN = 'bin';

export const goBuildpack: Buildpack = {
  id: 'heroku/go',

  async detect({ folder }) {
    return existsSync(join(folder, 'go.mod')) ? 'Go' : undefined;
  },

  async compile(shell, { cache }) {
    const mod = await readGoMod(shell.folder);
    const version = await installedGo(shell);
    shell.heading(`Go ${version}`);
    const needed = mod.herokuGo ?? mod.go;
    const isOld = needed !== undefined && !isGoAtLeast(version, needed);
    if (isOld)
      shell.warn(
        `go.mod asks for Go ${needed}, and the server has ${version}: install a newer one on the server if it fails.`,
      );
    shell.export({
      GOPATH: join(cache, 'go'),
      GOCACHE: join(cache, 'go-build'),
      GOBIN: join(shell.folder, BIN),
      // Its working folder has no repository.
      GOFLAGS: [
        shell.config.GOFLAGS,
        '-buildvcs=false',
        ...((await isVendored(shell.folder)) ? ['-mod=vendor'] : []),
      ]
        .filter(Boolean)
        .join(' '),
      // What is in the cache can be removed.
      GOMODCACHE: join(cache, 'go', 'pkg', 'mod'),
    });
    await mkdir(join(shell.folder, BIN), { recursive: true });
    await runHook(shell, 'bin/go-pre-compile');
    const packages = await packagesToInstall(shell, mod);
    const { GO_LINKER_SYMBOL: symbol, GO_LINKER_VALUE: value } = shell.config;
    const linker = symbol ? ['-ldflags', `-X ${symbol}=${value ?? shell.env.SOURCE_VERSION ?? ''}`] : [];
    shell.heading(`Running: go install -tags heroku ${packages.join(' ')}`);
    const failure = isOld
      ? `go install failed: go.mod asks for Go ${needed}, and the server has ${version}`
      : 'go install failed: what it said is above';
    await shell.runOrFail(failure, 'go', ['install', '-tags', 'heroku', ...linker, ...packages]);
    await runHook(shell, 'bin/go-post-compile');
    await addProfileScript(shell.folder, 'go');
  },

  async release(shell): Promise<Record<string, string>> {
    const { stdout } = await shell.capture('go', ['list', '-find', '-f', MAIN_PACKAGES, './...']);
    const [first, ...others] = stdout.split('\n').filter(Boolean);
    return first === undefined || others.length > 0 ? {} : { web: `${BIN}/${goBinaryName(first)}` };
  },
};

const MAIN_PACKAGES = '{{if eq .Name "main"}}{{.ImportPath}}{{end}}';

async function readGoMod(folder: string): Promise<GoMod> {
  const text = await readAppText(folder, 'go.mod');
  if (text === undefined)
    throw new BuildError('There is no go.mod in the top folder: run go mod init, and commit it.');
  return parseGoMod(text);
}

async function installedGo(shell: BuildShell): Promise<string> {
  const { status, stdout } = await shell.capture('go', ['version']);
  const version = /go(\d+(?:\.\d+)*)/.exec(stdout)?.[1];
  if (status !== 0 || version === undefined)
    throw new BuildError(
      'There is no Go on the server: install it so that go is on its PATH (apt-get install golang-go).',
    );
  return version;
}

async function isVendored(folder: string): Promise<boolean> {
  return existsSync(join(folder, 'vendor', 'modules.txt'));
}

/** What the config var, or go.mod, or the module itself says. */
async function packagesToInstall(shell: BuildShell, mod: GoMod): Promise<string[]> {
  const spec = shell.config.GO_INSTALL_PACKAGE_SPEC?.split(/\s+/).filter(Boolean) ?? [];
  if (spec.length > 0) return spec;
  if (mod.install.length > 0) return [...mod.install];
  const args = ['list', '-find', '-f', MAIN_PACKAGES, './...'];
  const { status, stdout } = await shell.capture('go', args);
  if (status !== 0) await shell.runOrFail('go list failed: what it said is above', 'go', args);
  const lines = stdout.split('\n').filter(Boolean);
  if (lines.length === 0)
    throw new BuildError(
      'There is no main package in this module: add one ("package main" with a func main), and commit it.',
    );
  return lines;
}
