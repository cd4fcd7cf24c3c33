/** What scripts that try or pack the installed package have in common: it, and a Node.js of another version or processor from npm. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Packs what was built in `root`, and installs it below `prefix`.
 * @param platform `os` and `cpu`, as npm calls them; default: this machine's
 * @returns the folder of the installed package
 */
export function installPackage(root, prefix, { os = process.platform, cpu = process.arch } = {}) {
  execFileSync(process.execPath, [join(root, 'scripts', 'setup.mjs')], { stdio: ['ignore', 2, 2] });
  mkdirSync(prefix, { recursive: true });
  const pack = ['pack', '--silent', '--pack-destination', prefix];
  const file = execFileSync('npm', pack, { cwd: root, encoding: 'utf8' }).trim();
  const install = ['install', '--global', '--prefix', prefix, '--os', os, '--cpu', cpu, join(prefix, file)];
  execFileSync('npm', install, { stdio: ['ignore', 2, 2] });
  return join(prefix, 'lib', 'node_modules', 'tailrace');
}

/**
 * A Node.js from npm, kept in node_modules/.cache.
 * @param platform such as `linux-x64`
 * @returns its folder, with `bin/node` and `LICENSE`
 */
export function nodePackage(root, major, platform = `${process.platform}-${process.arch}`) {
  const cache = join(root, 'node_modules', '.cache', `node-${platform}-${major}`);
  const folder = join(cache, 'package');
  if (existsSync(join(folder, 'bin', 'node'))) return folder;
  mkdirSync(cache, { recursive: true });
  const pack = ['pack', '--silent', `node-${platform}@${major}`];
  const file = execFileSync('npm', pack, { cwd: cache, encoding: 'utf8' }).trim();
  execFileSync('tar', ['-xzf', file, 'package/bin/node', 'package/LICENSE'], { cwd: cache });
  rmSync(join(cache, file));
  return folder;
}
