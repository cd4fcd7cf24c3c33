/**
 * Makes a Debian package in one file: the npm package as it is installed, a Node.js of its own (Debian 12 has an older one), unit, user,
 * folder, settings, man page. Needs dpkg-deb; for another processor nothing has to run of what is packed.
 *
 *     npm run deb                                   # for this machine, into this folder
 *     npm run deb -- --arch arm64 --out /tmp
 *
 * For tests: --package FOLDER takes one that is installed there, --compression none is quick.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { installPackage, nodePackage } from './install-package.mjs';

/** Debian's names of processors → npm's. */
const PROCESSORS = { amd64: 'x64', arm64: 'arm64' };
const NODE_MAJOR = '24';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: process.arch === 'arm64' ? 'arm64' : 'amd64' },
    out: { type: 'string', default: '.' },
    package: { type: 'string' },
    compression: { type: 'string', default: 'xz' },
  },
});
const cpu = PROCESSORS[values.arch];
if (!cpu) throw new Error(`--arch is "${values.arch}": it must be ${Object.keys(PROCESSORS).join(' or ')}.`);

const folder = mkdtempSync(join(tmpdir(), 'tailrace-deb-'));
try {
  const tree = join(folder, 'tree');
  const installed = values.package ?? installPackage(root, join(folder, 'npm'), { os: 'linux', cpu });
  const node = nodePackage(root, NODE_MAJOR, `linux-${cpu}`);
  const { version, description } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  lay(tree, installed, node);
  writeControl(tree, { version: `${version}-1`, description });
  const file = join(resolve(values.out), `tailrace_${version}-1_${values.arch}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', `-Z${values.compression}`, '--build', tree, file], {
    stdio: ['ignore', 'ignore', 2],
  });
  process.stdout.write(`${file}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Every file, where it will be. */
function lay(tree, installed, node) {
  const home = join(tree, 'usr', 'lib', 'tailrace');
  cpSync(installed, home, { recursive: true, verbatimSymlinks: true });
  // They have places of their own below.
  for (const name of ['deploy', 'docs', 'dist/man']) rmSync(join(home, name), { recursive: true });
  for (const { parentPath, path, name } of readdirSync(home, { recursive: true, withFileTypes: true })) {
    const file = join(parentPath ?? path, name);
    // Debian's C library is another.
    if (/\.musl\.node$/.test(name)) rmSync(file);
    else if (/\.node$/.test(name)) chmodSync(file, 0o644);
  }
  put(join(home, 'node', 'bin', 'node'), join(node, 'bin', 'node'), 0o755);
  mkdirSync(join(tree, 'usr', 'bin'), { recursive: true });
  symlinkSync('../lib/tailrace/bin/tailrace', join(tree, 'usr', 'bin', 'tailrace'));

  const share = join(tree, 'usr', 'share');
  const documents = join(share, 'doc', 'tailrace');
  cpSync(join(installed, 'docs'), join(documents, 'docs'), { recursive: true });
  cpSync(join(installed, 'deploy'), join(documents, 'deploy'), { recursive: true });
  const compressed = (file) => gzipSync(readFileSync(join(installed, file)), { level: 9 });
  write(join(documents, 'changelog.gz'), compressed('CHANGELOG.md'));
  write(join(share, 'man', 'man1', 'tailrace.1.gz'), compressed('dist/man/tailrace.1'));
  const licenses = [
    ['Tailrace', join(installed, 'LICENSE')],
    ['Node.js, in /usr/lib/tailrace/node', join(node, 'LICENSE')],
    ['Packages in /usr/lib/tailrace/dist/bundle', join(installed, 'dist', 'bundle', 'LICENSES.txt')],
  ];
  const copyright = licenses.map(([what, file]) => `${what}\n\n${readFileSync(file, 'utf8')}`);
  write(join(documents, 'copyright'), copyright.join(`\n${'='.repeat(80)}\n\n`));

  const unit = (name) => join(root, 'deploy', name);
  put(join(tree, 'usr', 'lib', 'systemd', 'system', 'tailrace.service'), unit('tailrace.service'), 0o644);
  put(join(tree, 'usr', 'lib', 'sysusers.d', 'tailrace.conf'), unit('sysusers.conf'), 0o644);
  put(join(tree, 'usr', 'lib', 'tmpfiles.d', 'tailrace.conf'), unit('tmpfiles.conf'), 0o644);
  // It may hold the password of Redis; systemd reads it as root.
  put(join(tree, 'etc', 'tailrace.env'), unit('debian/tailrace.env'), 0o600);
}

function writeControl(tree, { version, description }) {
  const control = join(tree, 'DEBIAN');
  for (const name of ['postinst', 'prerm', 'postrm'])
    put(join(control, name), join(root, 'deploy', 'debian', name), 0o755);
  write(join(control, 'conffiles'), '/etc/tailrace.env\n');
  const bytes = Number(
    execFileSync('du', ['-sk', '--apparent-size', tree], { encoding: 'utf8' }).split('\t')[0],
  );
  const fields = {
    Package: 'tailrace',
    Version: version,
    Architecture: values.arch,
    Maintainer: 'The authors of Tailrace <tailrace@tailrace.invalid>',
    'Installed-Size': bytes,
    Section: 'admin',
    Priority: 'optional',
    Depends:
      'libc6 (>= 2.28), libstdc++6 (>= 9), systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles',
    Recommends: 'ca-certificates, git, openssl',
    Suggests: 'bubblewrap, postgresql, redis-server',
    // Lines of at most 80 characters, each behind a space.
    Description: `log router, and a small platform for apps around it\n${description.replaceAll(/(.{1,78})(?: |$)/g, ' $1\n').trimEnd()}`,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
  write(join(control, 'control'), lines.join(''));
  // What `dpkg --verify` compares.
  const files = readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(tree.length + 1))
    .filter((path) => !path.startsWith('DEBIAN') && path !== 'etc/tailrace.env');
  const sums = execFileSync('md5sum', ['--', ...files], { cwd: tree, encoding: 'utf8', maxBuffer: 16 << 20 });
  write(join(control, 'md5sums'), sums);
}

function put(target, source, mode) {
  mkdirSync(dirname(target), { recursive: true });
  cpSync(source, target);
  chmodSync(target, mode);
}

function write(target, content) {
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
}
