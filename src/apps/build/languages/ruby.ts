/** The buildpack of apps with a Gemfile. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../../../common/files/replace-file.ts';
import type { Buildpack } from '../buildpacks/buildpack.ts';
import { listTopFolder, readAppText } from '../steps/app-files.ts';
import { BuildError } from '../steps/build-error.ts';
import type { BuildShell } from '../steps/build-shell.ts';
import { addProfileScript } from '../steps/profile-script.ts';
import { type GemfileLock, parseGemfileLock, rubyProcessTypes } from './gemfile.ts';

export const rubyBuildpack: Buildpack = {
  id: 'heroku/ruby',

  async detect({ folder }) {
    return existsSync(join(folder, 'Gemfile')) ? 'Ruby' : undefined;
  },

  async compile(shell, { cache }) {
    const lock = await readLock(shell.folder);
    const { ruby, bundler } = await installedRuby(shell);
    shell.heading(`Ruby ${ruby}, Bundler ${bundler}`);
    if (lock.ruby !== undefined && lock.ruby !== ruby)
      shell.warn(
        `Gemfile.lock asks for Ruby ${lock.ruby}, and the server has ${ruby}: install that one on the server if it fails.`,
      );
    if (lock.bundler !== undefined && lock.bundler !== bundler)
      shell.line(`Gemfile.lock was written by Bundler ${lock.bundler}; the server's is used.`);
    const secret = await secretKeyBase(cache);
    shell.export({
      // Otherwise it fetches the Bundler of the lock, and starts that.
      BUNDLER_VERSION: bundler,
      BUNDLE_WITHOUT: shell.config.BUNDLE_WITHOUT ?? 'development:test',
      BUNDLE_PATH: 'vendor/bundle',
      BUNDLE_DEPLOYMENT: 'true',
      BUNDLE_FROZEN: 'true',
      BUNDLE_SILENCE_ROOT_WARNING: 'true',
      BUNDLE_USER_CACHE: join(cache, 'bundle'),
      BUNDLE_GLOBAL_GEM_CACHE: 'true',
      RACK_ENV: shell.config.RACK_ENV ?? 'production',
      RAILS_ENV: shell.config.RAILS_ENV ?? 'production',
      RAILS_GROUPS: shell.config.RAILS_GROUPS ?? 'assets',
      LANG: shell.config.LANG ?? 'C.UTF-8',
      SECRET_KEY_BASE: shell.config.SECRET_KEY_BASE ?? secret,
    });
    await installGems(shell, lock);
    shell.prependPath(join(shell.folder, 'bin'));
    await precompileAssets(shell, lock);
    await addProfileScript(shell.folder, 'ruby');
    const variables = {
      BUNDLER_VERSION: bundler,
      ...(lock.gems.has('railties') ? { SECRET_KEY_BASE: secret } : {}),
    };
    const lines = Object.entries(variables).map(
      ([name, value]) => `export ${name}="\${${name}:-${value}}"
`,
    );
    await writeFile(join(shell.folder, '.profile.d', 'ruby-build.sh'), lines.join(''));
  },

  async release({ folder }) {
    return rubyProcessTypes(await readLock(folder), await listTopFolder(folder));
  },
};

async function readLock(folder: string): Promise<GemfileLock> {
  const text = await readAppText(folder, 'Gemfile.lock');
  if (text === undefined)
    throw new BuildError('There is no Gemfile.lock: run bundle install, and commit Gemfile.lock.');
  return parseGemfileLock(text);
}

async function installedRuby(shell: BuildShell): Promise<{ ruby: string; bundler: string }> {
  const code = 'require "bundler"; print RUBY_VERSION, " ", Bundler::VERSION';
  const { status, stdout } = await shell.capture('ruby', ['-e', code], { cwd: '/' });
  const [ruby, bundler] = stdout.trim().split(' ');
  if (status !== 0 || !bundler)
    throw new BuildError(
      'There is no Ruby with Bundler on the server: install them (apt-get install ruby bundler).',
    );
  return { ruby, bundler };
}

async function installGems(shell: BuildShell, lock: GemfileLock): Promise<void> {
  const isVendored = existsSync(join(shell.folder, 'vendor', 'cache'));
  shell.heading(
    `Installing gems (Gemfile.lock, ${lock.gems.size} gems${isVendored ? ', from vendor/cache' : ''})`,
  );
  let isOutdated = false;
  const args = ['install', ...(isVendored ? ['--local'] : []), '--jobs', '4', '--retry', '2'];
  const status = await shell.run('bundle', args, {}, (line) => {
    isOutdated ||= /frozen|deployment mode/i.test(line);
  });
  if (status !== 0)
    throw new BuildError(
      isOutdated
        ? "Gemfile.lock doesn't match the Gemfile: run bundle install, and commit Gemfile.lock."
        : `The gems can't be installed: bundle install failed (status ${status}), and said why above.`,
    );
  // The configuration of the app's own developers isn't a dyno's.
  await rm(join(shell.folder, 'vendor', 'bundle', 'cache'), { recursive: true, force: true });
}

/** Runs `assets:precompile` if the Rakefile has it. @throws BuildError */
async function precompileAssets(shell: BuildShell, lock: GemfileLock): Promise<void> {
  if (!lock.gems.has('rake') || !existsSync(join(shell.folder, 'Rakefile'))) return;
  const { status, stdout } = await shell.capture('bundle', ['exec', 'rake', '-P']);
  if (status !== 0) {
    shell.warn("The Rakefile can't be loaded (bundle exec rake -P), so that assets:precompile isn't run.");
    return;
  }
  if (!/^rake assets:precompile$/m.test(stdout)) return;
  shell.heading('Preparing assets: bundle exec rake assets:precompile');
  await shell.runOrFail('rake assets:precompile failed: what it said is above', 'bundle', [
    'exec',
    'rake',
    'assets:precompile',
  ]);
}

/** Of Rails: the same in every build, unless a config var says another. */
async function secretKeyBase(cache: string): Promise<string> {
  const file = join(cache, 'secret_key_base');
  const known = await readFile(file, 'utf8').catch(() => '');
  if (known !== '') return known;
  const made = randomBytes(64).toString('hex');
  await mkdir(cache, { recursive: true });
  await replaceFile(file, made);
  return made;
}
