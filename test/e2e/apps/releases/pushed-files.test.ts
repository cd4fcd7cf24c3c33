/** What is deployed is what was committed: attributes of archives, links, submodules, pointers of Git LFS. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APP_FILES, GitRepository } from '../../../support/git-repository.ts';
import { type Server, startServer, temporaryFolder } from '../../../support/server.ts';

/** Of whoever runs the server: with the credentials that git finds there. */
const home = temporaryFolder();
let server: Server;
beforeAll(async () => {
  server = await startServer({ env: { HOME: home } });
  writeFileSync(join(home, '.netrc'), `machine 127.0.0.1 login x password ${server.key}\n`, { mode: 0o600 });
});
afterAll(async () => {
  await server?.close();
  rmSync(home, { recursive: true, force: true });
});

let number = 0;
async function created(files: Readonly<Record<string, string>> = {}) {
  const name = `files-${process.pid % 10_000}-${++number}`;
  const repository = new GitRepository(server, { ...APP_FILES, Procfile: 'worker: true\n', ...files });
  await repository.tailrace('create', name);
  return { name, repository };
}

/** Prints what is in the slug when it is run. */
async function inSlug(name: string, script: string, repository: GitRepository): Promise<string> {
  const ran = await repository.tailrace('run', '-a', name, '--', `sh -c '${script}'`);
  return ran.stdout.replaceAll('\r\n', '\n').replaceAll('\r', '\n');
}

describe('the files of a commit', () => {
  it('are those that git checks out, whatever is said about archives', async () => {
    const { name, repository } = await created({
      '.gitattributes':
        'config/*.yml export-ignore\nVERSION export-subst\nrun.cmd text eol=crlf\nident.txt ident\n*.bin -text\nutf16.txt working-tree-encoding=UTF-16LE\n',
      'config/app.yml': 'in the slug\n',
      VERSION: '$Format:%H$\n',
      'run.cmd': 'a\nb\n',
      'ident.txt': '$Id$\n',
      'crlf.bin': 'a\r\nb\r\n',
      'utf16.txt': 'a\0\n\0',
    });
    const script =
      'cat config/app.yml VERSION; for f in run.cmd crlf.bin utf16.txt ident.txt; do od -An -c $f; done';
    expect((await repository.push()).status).toBe(0);
    const pushed = await inSlug(name, script, repository);
    expect(pushed).toContain('in the slug\n$Format:%H$\n');
    expect(pushed.match(/a {2}\\r {2}\\n {3}b {2}\\r {2}\\n/g)).toHaveLength(2);
    // As in every checkout, so also in the folder from which `tailrace push` takes it.
    expect(pushed).toMatch(/ {3}a {2}\\0 {2}\\n {2}\\0\n {3}\$ {3}I {3}d {3}: {7}[0-9a-f]/);
    repository.git('rm', '-rq', '--cached', '.');
    repository.git('reset', '-q', '--hard');
    expect((await repository.tailrace('push')).status).toBe(0);
    expect(await inSlug(name, script, repository)).toBe(pushed);
  });

  it('may be links that lead anywhere: they stay links, and are never followed', async () => {
    const { name, repository } = await created();
    const secret = join(home, 'secret');
    writeFileSync(secret, 'not of this app\n');
    const links = {
      etc: '/etc/passwd',
      up: '../../..',
      loop: 'loop',
      'deep/out': '../../x',
      secret,
    } as const;
    mkdirSync(join(repository.folder, 'deep'));
    for (const [path, target] of Object.entries(links)) symlinkSync(target, join(repository.folder, path));
    repository.commit({ '.slugignore': '/ignored\n', 'ignored/file': 'x' });
    for (const deploy of [() => repository.push(), () => repository.tailrace('push')]) {
      expect((await deploy()).status).toBe(0);
      const listed = await inSlug(
        name,
        'for f in etc up loop deep/out secret; do readlink $f; done',
        repository,
      );
      expect(listed.trim().split('\n')).toEqual(Object.values(links));
    }
    // What is behind them is as it was.
    expect((await inSlug(name, 'ls', repository)).split('\n')).not.toContain('ignored');
    symlinkSync(secret, join(repository.folder, 'package.json'));
    repository.commit({});
    const refused = await repository.push();
    expect(refused.stderr).toMatch(
      /package\.json is a link out of the app's folder .* put the file itself there/,
    );
    expect(refused.stderr).not.toMatch(/not of this app/);
    rmSync(join(repository.folder, 'package.json'));
    rmSync(join(repository.folder, '.slugignore'));
    symlinkSync(secret, join(repository.folder, '.slugignore'));
    expect((await repository.tailrace('push')).stderr).toMatch(/\.slugignore is a link out of/);
  });

  it('that are pointers of Git LFS are said to be', async () => {
    const pointer = (n: number) =>
      `version https://git-lfs.github.com/spec/v1\noid sha256:${String(n).repeat(64)}\nsize 12345678\n`;
    const { repository } = await created({
      '.gitattributes': '*.psd filter=lfs diff=lfs merge=lfs -text\n',
      'art/a.psd': pointer(1),
      'ignored.psd': pointer(2),
      '.slugignore': 'ignored.psd\n',
      'README.md': `It looks like this:\n\n${pointer(3)}`,
    });
    const pushed = await repository.push();
    expect(pushed.status).toBe(0);
    expect(pushed.stderr).toMatch(
      /! {5}A file is a pointer of Git LFS, and not the content itself: art\/a\.psd\s/,
    );
    expect(pushed.stderr).toMatch(/run `git lfs pull`, and deploy the folder with `tailrace push`/);
    expect((await repository.tailrace('push')).stdout).toMatch(/pointer of Git LFS.*: art\/a\.psd\n/);
  });
});

describe('submodules', () => {
  /** A repository that others can have as a submodule, on the server itself. */
  async function published(files: Readonly<Record<string, string>>) {
    const { name, repository } = await created(files);
    expect((await repository.push('main:published')).status).toBe(0);
    return { name, repository, url: `${server.url}/${name}.git` };
  }
  function addSubmodule(to: GitRepository, from: GitRepository, path: string, url: string): void {
    to.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', '--', from.folder, path);
    to.git('config', '--file', '.gitmodules', `submodule.${path}.url`, url);
    to.commit({});
  }

  it('are fetched with their own submodules, and with the credentials of the server', async () => {
    const inner = await published({ 'inner.txt': 'innermost\n', '.gitattributes': '* export-ignore\n' });
    const outer = await published({ 'outer.txt': 'outer\n' });
    addSubmodule(outer.repository, inner.repository, 'deps/in ner', `../${inner.name}.git`);
    await outer.repository.push('main:published');
    const { name, repository } = await created();
    addSubmodule(repository, outer.repository, 'vendor/lib', outer.url);
    const pushed = await repository.push();
    expect(pushed.stderr).toMatch(/remote: -----> Fetching submodule vendor\/lib from http:\/\/127\.0\.0\.1/);
    expect(pushed.stderr).toMatch(/remote: -----> Fetching submodule vendor\/lib\/deps\/in ner from/);
    expect(pushed.status).toBe(0);
    const script = 'cd vendor/lib; cat outer.txt "deps/in ner/inner.txt"; find . -name .git';
    expect(await inSlug(name, script, repository)).toBe('outer\ninnermost\n');

    const empty = await repository.tailrace('push');
    expect(empty).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^.*vendor\/lib\/deps\/in ner: sub/),
    });
    repository.git('-C', 'vendor/lib', 'config', 'submodule.deps/in ner.url', inner.repository.folder);
    repository.git('-c', 'protocol.file.allow=always', '-C', 'vendor/lib', 'submodule', 'update', '--init');
    const sent = await repository.tailrace('push');
    expect(sent.status).toBe(0);
    expect(await inSlug(name, script, repository)).toBe('outer\ninnermost\n');
  });

  it('that can’t be had refuse the push, with a sentence', async () => {
    const lib = await published({ 'lib.txt': 'x' });
    const { repository } = await created();
    const refusals: [string, RegExp][] = [
      [`../${lib.name}.git`, /beside a repository that this server doesn't know/],
      [`file://${lib.repository.folder}`, /which can't be fetched from here/],
      [lib.repository.folder, /which can't be fetched from here/],
      ['ext::sh -c touch% /tmp/tailrace-evil', /which can't be fetched from here/],
      [`${server.url}/none.git`.replace('//', '//me:hidden@'), /can't be fetched from http:\/\/127[^@]*$/m],
    ];
    addSubmodule(repository, lib.repository, 'lib', lib.url);
    for (const [url, message] of refusals) {
      repository.git('config', '--file', '.gitmodules', 'submodule.lib.url', url);
      repository.commit({});
      const pushed = await repository.push();
      expect(pushed.status, url).not.toBe(0);
      expect(pushed.stderr).toMatch(message);
      expect(pushed.stderr).not.toContain('hidden');
    }
    repository.git('config', '--file', '.gitmodules', 'submodule.lib.url', lib.url);
    lib.repository.commit({ 'lib.txt': 'never pushed' });
    repository.git('-C', 'lib', '-c', 'protocol.file.allow=always', 'fetch', '-q', lib.repository.folder);
    repository.git('-C', 'lib', 'checkout', '-q', 'FETCH_HEAD');
    repository.commit({});
    expect((await repository.push()).stderr).toMatch(/The submodule lib (has no commit|can't be fetched)/);
    repository.git('rm', '-q', '--cached', '.gitmodules');
    repository.git('commit', '-q', '-m', 'no .gitmodules');
    expect((await repository.push()).stderr).toMatch(
      /lib is a submodule, but \.gitmodules doesn't say where/,
    );
  });
});
