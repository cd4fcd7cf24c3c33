/** What a Node.js build decides by package.json and its lock files. */
import { describe, expect, it } from 'vitest';
import { chooseManager } from '../../../../src/apps/build/nodejs/choose-manager.ts';
import { chooseNode, npmRangeFor, npmRunsOn } from '../../../../src/apps/build/nodejs/choose-node.ts';
import { planInstall } from '../../../../src/apps/build/nodejs/manager-commands.ts';
import { parsePackageJson } from '../../../../src/apps/build/nodejs/package-json.ts';

const choose = (files: string[], json: Record<string, unknown> = {}, lock = '') =>
  chooseManager(parsePackageJson(json), new Set(files), lock);

describe('the package manager', () => {
  it.each([
    [[], {}, '', 'npm', 'npm', undefined],
    [['package-lock.json'], {}, '{}', 'npm', 'npm', undefined],
    [['package-lock.json', 'npm-shrinkwrap.json'], {}, '{}', 'npm', 'npm', undefined],
    [['package-lock.json'], { packageManager: 'npm@10.9.0' }, '{}', 'npm', 'npm', '10.9.0'],
    [['package-lock.json'], { engines: { npm: '9.x' } }, '{}', 'npm', 'npm', '9.x'],
    [['pnpm-lock.yaml'], {}, "lockfileVersion: '9.0'\n", 'pnpm', 'pnpm', '10.x'],
    [['pnpm-lock.yaml'], {}, "lockfileVersion: '6.0'\n", 'pnpm', 'pnpm', '8.x'],
    [['pnpm-lock.yaml'], {}, 'lockfileVersion: 5.4\n', 'pnpm', 'pnpm', '7.x'],
    [['pnpm-lock.yaml'], { engines: { pnpm: '>=9' } }, "lockfileVersion: '9.0'\n", 'pnpm', 'pnpm', '>=9'],
    [['pnpm-lock.yaml'], { packageManager: 'pnpm@9.15.9+sha512.abc' }, '', 'pnpm', 'pnpm', '9.15.9'],
    [['yarn.lock'], {}, '# yarn lockfile v1\n', 'yarn', 'yarn', '1.22.x'],
    [['yarn.lock'], {}, '__metadata:\n  version: 8\n', 'yarn', '@yarnpkg/cli-dist', '4.x'],
    [['yarn.lock'], {}, '__metadata:\r\n  version: 6\r\n', 'yarn', '@yarnpkg/cli-dist', '3.x'],
    [['yarn.lock'], { packageManager: 'yarn@1.22.19' }, '# yarn lockfile v1\n', 'yarn', 'yarn', '1.22.19'],
    [['yarn.lock'], { packageManager: 'yarn@4.5.0' }, '', 'yarn', '@yarnpkg/cli-dist', '4.5.0'],
    [[], { packageManager: 'pnpm@10.1.0' }, '', 'pnpm', 'pnpm', '10.1.0'],
  ] as const)('of %j with %j and %j is %s', (files, json, lock, name, npmPackage, version) => {
    expect(choose([...files], json, lock)).toMatchObject({ name, npmPackage, version });
  });

  it.each([
    [['package-lock.json', 'yarn.lock'], {}, /two lock files, package-lock\.json and yarn\.lock: remove/],
    [['package-lock.json', 'pnpm-lock.yaml', 'yarn.lock'], {}, /There are 3 lock files/],
    [
      ['package-lock.json'],
      { packageManager: 'pnpm@9.0.0' },
      /says pnpm, but the lock file is package-lock\.json/,
    ],
    [
      ['yarn.lock'],
      { packageManager: 'yarn@latest' },
      /packageManager in package\.json is "yarn@latest": write/,
    ],
    [[], { packageManager: 'cargo@1.0.0' }, /write npm, pnpm or yarn/],
    [['bun.lock'], {}, /Bun isn't built in: name a buildpack/],
    [[], { packageManager: 'bun@1.2.0' }, /Bun isn't built in/],
  ] as const)('of %j with %j is refused', (files, json, message) => {
    expect(() => choose([...files], json)).toThrow(message);
  });

  it('fields of the wrong type count as unset', () => {
    expect(choose([], { packageManager: 7, engines: 'x', scripts: [1], dependencies: null })).toMatchObject({
      name: 'npm',
    });
    expect(parsePackageJson({ dependencies: {}, devDependencies: {} }).hasPackages).toBe(false);
    expect(parsePackageJson({ devDependencies: { a: '1' } }).hasPackages).toBe(true);
    expect(parsePackageJson({ workspaces: ['a'] }).hasPackages).toBe(true);
    expect(parsePackageJson({ scripts: { postinstall: 'cd server && npm ci' } }).hasPackages).toBe(true);
    expect(parsePackageJson({ scripts: { start: 'node .' } }).hasPackages).toBe(false);
    // What only the build needs is looked for where there may be any.
    expect(parsePackageJson({ dependencies: { a: '1' }, devDependencies: {} }).mayHaveDevPackages).toBe(
      false,
    );
    expect(parsePackageJson({ devDependencies: { a: '1' } }).mayHaveDevPackages).toBe(true);
    expect(parsePackageJson({ workspaces: ['a'] }).mayHaveDevPackages).toBe(true);
  });
});

describe('what it is told', () => {
  const plan = (
    name: 'npm' | 'pnpm' | 'yarn',
    {
      npmPackage = name as string,
      isLocked = true,
      config = {},
      nodeEnv = 'production',
      hasNodeModules = true,
    } = {},
  ) =>
    planInstall({
      manager: { name, npmPackage, lockFile: isLocked ? 'lock' : undefined },
      cache: '/cache',
      hasNodeModules,
      config,
      nodeEnv,
    });

  it('a lock file is frozen, and without one the newest are taken', () => {
    expect(plan('npm').install).toEqual(['ci', '--include=dev']);
    expect(plan('npm', { isLocked: false }).install).toEqual(['install', '--include=dev']);
    expect(plan('pnpm').install).toContain('--frozen-lockfile');
    expect(plan('yarn').install).toContain('--frozen-lockfile');
    expect(plan('yarn', { npmPackage: '@yarnpkg/cli-dist' }).install).toEqual(['install', '--immutable']);
  });

  it.each([
    ['npm', { NPM_CONFIG_PRODUCTION: 'false' }, 'NPM_CONFIG_PRODUCTION says so'],
    ['yarn', { YARN_PRODUCTION: 'false' }, 'YARN_PRODUCTION says so'],
    ['pnpm', { PNPM_SKIP_PRUNING: 'true' }, 'PNPM_SKIP_PRUNING says so'],
  ] as const)('%s keeps all packages with %j', (name, config, pruneSkipped) => {
    expect(plan(name, { config })).toMatchObject({ prune: undefined, pruneSkipped });
    expect(plan(name).prune).toBeDefined();
    expect(plan(name, { nodeEnv: 'test' }).pruneSkipped).toMatch(/NODE_ENV/);
  });

  it('Yarn’s Plug’n’Play keeps its packages in the app', () => {
    const pnp = plan('yarn', { npmPackage: '@yarnpkg/cli-dist', hasNodeModules: false });
    expect(pnp.prune).toBeUndefined();
    expect(pnp.env).not.toHaveProperty('YARN_CACHE_FOLDER');
    expect(pnp.env.YARN_ENABLE_GLOBAL_CACHE).toBe('false');
  });
});

describe('Node.js', () => {
  it.each([
    [undefined, 'v20.20.2', { kind: 'installed', version: '20.20.2' }],
    ['20.x', 'v20.20.2', { kind: 'installed', version: '20.20.2' }],
    ['>=18', 'v20.20.2\n', { kind: 'installed', version: '20.20.2' }],
    ['22.x', 'v20.20.2', { kind: 'fetched', range: '22.x' }],
    ['^18.0.0 || ^16.0.0', 'v20.20.2', { kind: 'fetched', range: '^18.0.0 || ^16.0.0' }],
    ['latest please', 'v20.20.2', { kind: 'invalid', version: '20.20.2' }],
    ['22.x', '', { kind: 'fetched', range: '22.x' }],
  ])('%j on a server with %j', (range, installed, choice) => {
    expect(chooseNode(range, installed)).toEqual(choice);
  });

  it('has an npm that runs on it', () => {
    expect(npmRunsOn('11.19.1\n', '20.20.2')).toBe(true);
    expect(npmRunsOn('11.19.1', '18.20.0')).toBe(false);
    expect(npmRangeFor('18.20.0')).toBe('10.x');
    expect(npmRangeFor('16.20.2')).toBe('9.x');
    expect(npmRangeFor('12.22.0')).toBe('8.x');
    expect(npmRangeFor('10.24.0')).toBe('6.x');
    expect(npmRunsOn('99.0.0', '10.0.0')).toBe(true);
  });
});
