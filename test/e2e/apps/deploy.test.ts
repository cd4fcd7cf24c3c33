/** From files to a running app: `git push`, `tailrace push`, builds that fail, servers that die. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive, paxHeader, tarMember } from '../../apps/build/tar-archive.ts';
import { isAlive } from '../../apps/forwarder/recording-sink.ts';
import { APP_FILES, fetchFromApp, GitRepository } from '../../support/git-repository.ts';
import { dataFolderForTest, type Server, startServer, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

let number = 0;
/** A new app with a repository whose remote it is. */
async function created(files: Readonly<Record<string, string>> = APP_FILES, on = server) {
  const name = `app-${process.pid % 10_000}-${++number}`;
  const repository = new GitRepository(on, files);
  const made = await repository.tailrace('create', name);
  expect(made.stdout).toMatch(/Git remote tailrace added/);
  return { name, repository };
}
const versions = async (name: string, on = server) =>
  (
    await on.request<{ version: number; description: string; status: string }[]>(
      'GET',
      `/apps/${name}/releases`,
    )
  ).map(({ version, status }) => `v${version} ${status}`);

describe('git push', () => {
  it('builds, releases and runs the app, and shows how', async () => {
    // Its name is no other app's, though that may be the only one that runs.
    const other = await created();
    await other.repository.push();
    const { name, repository } = await created();
    await expect(fetchFromApp(server, name)).rejects.toThrow(/^502 Nothing is deployed here, yet/);
    expect((await server.readMessages({ id: '', name, token: '' })).at(-1)).toMatch(
      /^at=info code=H81 desc="Blank app" method=GET path="\/" host=\S+ .* status=502 bytes=0 protocol=http$/,
    );
    const pushed = await repository.push();
    expect(pushed.stderr).toMatch(/remote: -----> Procfile app detected/);
    expect(pushed.stderr).toMatch(/remote: {8}Procfile declares types {5}-> web, worker/);
    expect(pushed.stderr).toMatch(/remote: {8}Released v2/);
    expect(pushed.stderr).toMatch(
      new RegExp(`remote: {8}http://${name}.localhost:\\d+/ deployed to Tailrace`),
    );
    expect(pushed.status).toBe(0);
    expect((await fetchFromApp(server, name)).version).toBe('one');

    repository.commit({ 'version.txt': 'two\n' });
    expect((await repository.push()).status).toBe(0);
    await until('the second version', async () => (await fetchFromApp(server, name)).version === 'two');

    expect((await repository.tailrace('rollback')).stdout).toMatch(/Rolling back .* to v2... done, v4/);
    await until('the first version', async () => (await fetchFromApp(server, name)).version === 'one');
    expect((await repository.tailrace('info')).stdout).toMatch(/Buildpack:\s+Procfile/);
  });

  it.runIf(existsSync('/proc/self/fd'))(
    'no program that a push starts has an open file of the server',
    async () => {
      const list = 'for fd in /proc/self/fd/*; do echo "<$(readlink $fd)>"; done';
      const pack = temporaryFolder();
      const script = (text: string) => `#!/bin/sh\n${text}\n`;
      const buildpack = new GitRepository(server, {
        'bin/detect': script('echo looking'),
        'bin/compile': script(`echo "compiled:"; ${list}`),
        'bin/release': script('echo "--- {}"'),
      });
      rmSync(pack, { recursive: true });
      buildpack.git('clone', '-q', buildpack.folder, pack);
      const { name, repository } = await created({
        Procfile: `worker: echo running:; ${list}; sleep 1000\nrelease: echo releasing:; ${list}\n`,
      });
      await repository.tailrace('buildpacks:set', pack);
      // Makes the repository, and deploys nothing.
      expect((await repository.push('main:other')).status).toBe(0);
      const { id } = await server.request<{ id: string }>('GET', `/apps/${name}`);
      const hook = join(server.data, 'repositories', `${id}.git`, 'hooks', 'post-receive');
      writeFileSync(hook, script(`echo received:; ${list}`), { mode: 0o755 });
      const pushed = await repository.push();
      rmSync(pack, { recursive: true });
      expect(pushed.stderr).toMatch(/compiled:[\s\S]*releasing:[\s\S]*received:/);
      await repository.tailrace('scale', 'worker=1');
      const running = await repository.tailrace('run', '--no-tty', `echo once:; ${list}`);
      expect(running.stdout).toMatch(/once:[\s\S]*</);
      const lines = async () => (await server.readMessages({ id: '', name, token: '' })).join('\n');
      await until('its worker', async () => /running:[\s\S]*</.test(await lines()));
      for (const text of [pushed.stderr, running.stdout, await lines()])
        expect(text).not.toMatch(/store\.mdb|\/streams|\/commits|\/lock>/);
    },
  );

  it('a release whose slug is no longer kept isn’t rolled back to', async () => {
    const { name, repository } = await created();
    await repository.push();
    repository.commit({ 'version.txt': 'two\n' });
    await repository.push();
    const { slug } = await server.request<{ slug: { id: string } }>('GET', `/apps/${name}/releases/2`);
    rmSync(join(server.data, 'host', 'slugs', `${slug.id}.tgz`));
    const eligible = async (version: number) =>
      (await server.request<{ eligible_for_rollback: boolean }>('GET', `/apps/${name}/releases/${version}`))
        .eligible_for_rollback;
    expect([await eligible(1), await eligible(2), await eligible(3)]).toEqual([false, false, true]);
    const before = await versions(name);
    expect(await repository.tailrace('rollback', 'v1')).toMatchObject({
      status: 1,
      stderr: ' ›   Error: v1 has no slug, since nothing was deployed before it: choose a later release.\n',
    });
    expect(await repository.tailrace('rollback', 'v2')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('The slug of v2 is no longer kept'),
    });
    expect(await versions(name)).toEqual(before);
    await until('the second version', async () => (await fetchFromApp(server, name)).version === 'two');
  });

  it('without a key, or with a wrong one, gets nothing', async () => {
    const { name, repository } = await created();
    repository.git('config', '--unset', `credential.${server.url}.helper`);
    expect((await repository.push()).status).not.toBe(0);
    const address = `${server.url.replace('//', '//x:wrong@')}/${name}.git`;
    const refused = await repository.push(address, 'main').catch(() => undefined);
    expect(refused?.status).not.toBe(0);
    expect(await versions(name)).toEqual(['v1 succeeded']);
  });

  it('a build that fails changes nothing', async () => {
    const { name, repository } = await created();
    await repository.push();
    const before = repository.git('ls-remote', 'tailrace', 'main');
    const broken = [
      [{ Procfile: 'web\n' }, /Procfile line 1: "web" is no entry/],
      [{ Procfile: '' }, /there is no process type in the file/],
      [{ Procfile: '\u0000w\u0000e' }, /save the file as UTF-8/],
      [
        { Procfile: 'web: true\n', 'package.json': '{"scripts":{"build":"echo oh no; exit 3"}}' },
        /The script build in package\.json failed \(status 3\)/,
      ],
    ] as const;
    for (const [files, message] of broken) {
      repository.commit(files);
      const pushed = await repository.push();
      expect(pushed.stderr).toMatch(message);
      expect(pushed.stderr).toMatch(/pre-receive hook declined/);
      expect(pushed.status).not.toBe(0);
    }
    expect(repository.git('ls-remote', 'tailrace', 'main')).toBe(before);
    expect(await versions(name)).toEqual(['v1 succeeded', 'v2 succeeded']);
    expect((await fetchFromApp(server, name)).version).toBe('one');
  });

  it('leaves out what .slugignore names', async () => {
    const { name, repository } = await created({
      ...APP_FILES,
      '.slugignore': '*.bin\n!kept.bin\n/docs\n',
      'big.bin': 'x',
      'kept.bin': 'x',
      'docs/page': 'x',
      'deep/docs/page': 'kept',
      Procfile: 'web: find . -type f >&2; exec node web.cjs\n',
    });
    expect((await repository.push()).status).toBe(0);
    await fetchFromApp(server, name);
    const lines = await server.readMessages({ id: '', name, token: '' });
    expect(lines).toContain('./deep/docs/page');
    expect(lines).toContain('./kept.bin');
    expect(lines.filter((line) => /big\.bin|^\.\/docs/.test(line))).toEqual([]);
  });

  it('other branches are taken, but not deployed', async () => {
    const { name, repository } = await created();
    const pushed = await repository.push('main:topic');
    expect(pushed.stderr).toMatch(/only main and master are deployed/);
    expect(pushed.status).toBe(0);
    expect(await versions(name)).toEqual(['v1 succeeded']);
  });

  it('of main and master with different commits the other one is named', async () => {
    const { name, repository } = await created();
    repository.commit({ 'version.txt': 'two\n' });
    const pushed = await repository.push('main', 'HEAD~1:refs/heads/master');
    expect(pushed.stderr).toMatch(
      / ! {5}refs\/heads\/master is another commit, and isn't deployed: refs\/heads\/main is\./,
    );
    expect(pushed.status).toBe(0);
    expect(await versions(name)).toEqual(['v1 succeeded', 'v2 succeeded']);
    expect((await repository.push('-f', 'main', 'main:master')).stderr).not.toMatch(/another commit/);
  });

  it('what git itself refuses isn’t built before: a branch that others have pushed to, and what is in the way of branches', async () => {
    const { name, repository } = await created();
    await repository.push();
    repository.commit({ 'version.txt': 'two\n' });
    repository.commit({ 'version.txt': 'three\n' });
    // Runs when this push has heard what there is, and hasn't sent anything.
    repository.write({
      '.git/hooks/pre-push': '#!/bin/sh\nrm "$0" && git push -q tailrace HEAD~1:refs/heads/main\n',
    });
    const late = await repository.push();
    expect(late.stderr).toMatch(/Somebody else has pushed meanwhile: fetch that, and push again\./);
    expect(late.status).not.toBe(0);
    const below = await repository.push('main:refs/heads/main/below');
    expect(below.stderr).toMatch(/A branch below main or master would be in the way/);
    expect(below.status).not.toBe(0);
    expect(await versions(name)).toEqual(['v1 succeeded', 'v2 succeeded', 'v3 succeeded']);
    // What CI has checked out.
    const { name: other, repository: shallow } = await created();
    shallow.git('fetch', '-q', '--depth', '1', `file://${repository.folder}`, 'main');
    expect((await shallow.push('FETCH_HEAD:refs/heads/main')).status).toBe(0);
    expect(await versions(other)).toEqual(['v1 succeeded', 'v2 succeeded']);
  });

  it('a tag is no commit: refused before anything is built', async () => {
    const { name, repository } = await created();
    repository.git('tag', '-a', '-m', 'first', 'v1.0');
    const pushed = await repository.push('v1.0:refs/heads/main');
    expect(pushed.stderr).toMatch(/That is a tag, and a branch needs a commit: push what it stands for/);
    expect(pushed.status).not.toBe(0);
    expect(await versions(name)).toEqual(['v1 succeeded']);
    expect((await repository.push('v1.0^{commit}:refs/heads/main')).status).toBe(0);
    expect(await versions(name)).toEqual(['v1 succeeded', 'v2 succeeded']);
  });

  it('two at once: one of them is told to wait', async () => {
    const go = join(server.data, 'go');
    const { name, repository } = await created({
      ...APP_FILES,
      'package.json': JSON.stringify({
        name: 'slow',
        scripts: { build: `until [ -e '${go}' ]; do sleep 0.1; done` },
      }),
    });
    const first = repository.push();
    await until(
      'the first build',
      async () => (await server.request<unknown[]>('GET', `/apps/${name}/builds`)).length > 0,
    );
    const second = await repository.push('main:master');
    expect(second.stderr).toMatch(/Another build of \S+ is in progress/);
    expect(second.status).not.toBe(0);
    writeFileSync(go, '');
    expect((await first).status).toBe(0);
    // Neither the one that was built nor the one that wasn't leaves its archive behind.
    const uploads = join(server.data, 'uploads');
    await until('the end of the uploads', async () => readdirSync(uploads).length === 0);
  });

  it('the release command runs before, and when it fails the old release stays', async () => {
    const { name, repository } = await created({
      ...APP_FILES,
      Procfile: 'web: node web.cjs\nrelease: echo migrating; exit $(cat fail)\n',
      fail: '0',
    });
    const good = await repository.push();
    expect(good.stderr).toMatch(/remote: {8}migrating/);
    expect(good.status).toBe(0);
    repository.commit({ 'version.txt': 'two\n', fail: '7' });
    const bad = await repository.push();
    expect(bad.stderr).toMatch(/The release command failed \(status 7\)/);
    expect(bad.status).not.toBe(0);
    expect((await versions(name)).at(-1)).toBe('v3 failed');
    expect((await fetchFromApp(server, name)).version).toBe('one');
  });
});

describe('tailrace push', () => {
  it('deploys what is there, committed or not, without what .slugignore names', async () => {
    const { name, repository } = await created();
    repository.write({
      'version.txt': 'not committed\n',
      '.slugignore': '# big things\n*.bin\n/secret\ndocs/private\n',
      'big.bin': 'x',
      'deep/other.bin': 'x',
      'secret/key': 'x',
      'deep/secret/key': 'kept',
      'docs/private/page': 'x',
      Procfile: 'web: find . -type f >&2; exec node web.cjs\n',
    });
    const pushed = await repository.tailrace('push');
    expect(pushed.stdout).toMatch(/-----> Launching/);
    expect(pushed.status).toBe(0);
    expect((await fetchFromApp(server, name)).version).toBe('not committed');
    const lines = await server.readMessages({ id: '', name, token: '' });
    expect(lines).toContain('./deep/secret/key');
    for (const ignored of [
      './big.bin',
      './deep/other.bin',
      './secret/key',
      './docs/private/page',
      './.git/HEAD',
    ])
      expect(lines, ignored).not.toContain(ignored);
  });

  it('archives that reach out of their folder, or are none, are refused', async () => {
    const { name } = await created();
    const folder = temporaryFolder();
    const tar = (script: string): Buffer => {
      execFileSync('sh', ['-c', `rm -rf x && mkdir x && cd x && ${script}`], { cwd: folder });
      return readFileSync(join(folder, 'x', 'out.tgz'));
    };
    const bad: [Buffer, RegExp][] = [
      [tar('echo evil >f && tar -czPf out.tgz --transform s,^f,../../f, f'), /outside of its folder/],
      [tar('ln -s /etc/passwd Procfile && tar -czf out.tgz Procfile'), /Procfile is a link out of/],
      [tar('ln -s /etc/passwd .slugignore && tar -czf out.tgz .slugignore'), /\.slugignore is a link out of/],
      [tar('mkfifo pipe && tar -czf out.tgz pipe'), /neither a file/],
      [
        archive(paxHeader({ size: '0' }), { path: 'f', body: tarMember({ path: 'pipe', type: '6' }) }),
        /neither a file/,
      ],
    ];
    for (const [file, message] of bad) {
      expect(await buildOf(name, file)).toMatch(message);
    }
    expect(await buildOf(name, Buffer.from('no archive at all'))).toMatch(/no gzipped tar archive/);
    expect(await versions(name)).toEqual(['v1 succeeded']);
    execFileSync('rm', ['-rf', folder]);
  });

  async function buildOf(name: string, archive: Buffer): Promise<string> {
    const { source_blob: source } = await server.request<{
      source_blob: { put_url: string; get_url: string };
    }>('POST', '/sources');
    const put = await fetch(source.put_url, { method: 'PUT', body: new Uint8Array(archive) });
    expect(put.status).toBe(200);
    const build = await server.request<{ output_stream_url: string }>('POST', `/apps/${name}/builds`, {
      source_blob: { url: source.get_url },
    });
    const output = await fetch(build.output_stream_url, {
      headers: { authorization: `Bearer ${server.key}` },
    });
    return output.text();
  }
});

describe('buildpacks', () => {
  it('of one’s own are given the build, a cache that stays, and the config vars', async () => {
    const pack = temporaryFolder();
    const { repository } = await created();
    const own = new GitRepository(server, {
      'bin/detect': '#!/bin/sh\necho Mine\n',
      'bin/compile':
        '#!/bin/sh\necho "-----> A is $(cat "$3/A")"\necho x >>"$2/builds"\necho "-----> build $(wc -l <"$2/builds")"\n',
      'bin/release': '#!/bin/sh\nprintf -- "---\\ndefault_process_types:\\n  clock: sleep 1000\\n"\n',
    });
    await repository.tailrace('config:set', 'A=secret stuff', `BUILDPACK_URL=file://${own.folder}#main`);
    const first = await repository.push();
    expect(first.stderr).toMatch(/Mine app detected[\s\S]*A is secret stuff[\s\S]*build 1/);
    expect(first.stderr).toMatch(/Default types for buildpack -> clock/);
    repository.commit({ 'version.txt': 'two' });
    expect((await repository.push()).stderr).toMatch(/build 2/);
    execFileSync('rm', ['-rf', pack]);
  });
});

describe('what a server runs', { timeout: 240_000 }, () => {
  it('each dyno has a copy of its own, removed afterwards, and none of the server’s secrets', async () => {
    const { name, repository } = await created();
    await repository.push();
    expect((await repository.tailrace('scale', 'web=2', 'worker=1')).stdout).toMatch(/now running/);
    const dynos = join(server.data, 'host', 'dynos');
    const homes = await until('two homes', async () => {
      const seen = new Set<string>();
      for (let i = 0; i < 20; i++) seen.add((await fetchFromApp(server, name)).home);
      return seen.size === 2 && [...seen];
    });
    writeFileSync(join(homes[0], 'scratch'), 'x');
    expect(existsSync(join(homes[1], 'scratch'))).toBe(false);
    await repository.tailrace('destroy', name, '--confirm', name);
    await until('no folder of the app', () => homes.every((home) => !existsSync(home)));
    expect(readdirSync(dynos).every((id) => !homes.some((home) => home.includes(id)))).toBe(true);
  });

  it('runs again after the server was killed, with the formation it had', async () => {
    const data = dataFolderForTest();
    const first = await startServer({ data });
    const { name, repository } = await created(APP_FILES, first);
    await repository.push();
    await repository.tailrace('scale', 'web=2', 'worker=0');
    await repository.tailrace('config:set', 'A=kept');
    await first.kill();
    const second = await startServer({ data });
    try {
      // The dynos of before serve until those with the new config are up.
      const app = await until('the app with its config', async () => {
        const answer = await fetchFromApp(second, name).catch(() => undefined);
        return answer?.a === 'kept' && answer;
      });
      expect(app.version).toBe('one');
      const formation = await second.request<{ type: string; quantity: number }[]>(
        'GET',
        `/apps/${name}/formation`,
      );
      expect(formation.map(({ type, quantity }) => [type, quantity])).toEqual([
        ['web', 2],
        ['worker', 0],
      ]);
    } finally {
      await second.close();
    }
  });

  it('killed in the middle of a push: the old release, whole', async () => {
    const data = dataFolderForTest();
    const first = await startServer({ data });
    const { name, repository } = await created(APP_FILES, first);
    await repository.push();
    const building = join(data, 'building');
    repository.commit({
      'version.txt': 'two\n',
      'package.json': JSON.stringify({
        name: 'slow',
        scripts: { build: `echo $$ >'${building}'; exec sleep 300` },
      }),
      'package-lock.json': '{"name":"slow","lockfileVersion":3,"packages":{"":{"name":"slow"}}}',
    });
    const pushing = repository.push();
    const pid = await until(
      'the build',
      () => existsSync(building) && Number(readFileSync(building, 'utf8')),
    );
    await first.kill();
    expect((await pushing).status).not.toBe(0);
    const second = await startServer({ data });
    try {
      const app = await until('the app', () => fetchFromApp(second, name).catch(() => undefined));
      expect(app.version).toBe('one');
      expect(await versions(name, second)).toEqual(['v1 succeeded', 'v2 succeeded']);
      expect(isAlive(pid)).toBe(false);
      const leftOver = readdirSync(join(data, 'host', 'work'));
      expect(leftOver).toEqual([]);
    } finally {
      await second.close();
    }
  });

  it('no request fails while two dynos restart, change config and are scaled under load', async () => {
    const { name, repository } = await created();
    await repository.push();
    await repository.tailrace('scale', 'web=2');
    await until('two dynos', async () => {
      const dynos = await server.request<{ type: string; state: string }[]>('GET', `/apps/${name}/dynos`);
      return dynos.filter(({ type, state }) => type === 'web' && state === 'up').length === 2;
    });
    let over = false;
    const counts = { good: 0, bad: [] as string[] };
    const load = Array.from({ length: 4 }, async () => {
      while (!over) {
        await fetchFromApp(server, name).then(
          () => counts.good++,
          (error: unknown) => counts.bad.push(String(error)),
        );
        // Other tests have these processors too.
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    });
    const homes = async () => (await fetchFromApp(server, name)).home;
    for (const args of [
      ['restart'],
      ['config:set', 'A=2'],
      ['restart', 'web.1'],
      ['scale', 'web=1'],
      ['scale', 'web=2'],
    ]) {
      const before = counts.good;
      const home = await homes();
      expect((await repository.tailrace(...args)).status).toBe(0);
      if (args[0] !== 'scale') await until('other dynos', async () => (await homes()) !== home);
      await until('more requests', () => counts.good > before + 60);
    }
    over = true;
    await Promise.all(load);
    expect(counts.bad).toEqual([]);
    expect(counts.good).toBeGreaterThan(300);
  });
});
