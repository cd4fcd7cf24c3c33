/** Buildpacks after the published contract, wherever they come from, alone and several of them. */
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { GitRepository } from '../../../support/git-repository.ts';
import { CertificateAuthority } from '../../../support/senders/certificate-authority.ts';
import { type Server, startServer } from '../../../support/server.ts';
import { PushedApp } from './pushed-app.ts';

let server: Server;
let folder: string;
let authority: CertificateAuthority;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-buildpacks-'));
  authority = new CertificateAuthority(folder);
  server = await startServer({ env: { NODE_EXTRA_CA_CERTS: authority.certFile } });
});
afterAll(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What Heroku's contract promises a buildpack, said by one. */
const CONFORMING = {
  'bin/detect': '#!/bin/sh\n[ -f "$1/mine.txt" ] || exit 1\necho Conforming\n',
  'bin/compile': `#!/usr/bin/env bash
set -eu
build=$1 cache=$2 env=$3
echo "-----> stack=$STACK source=$SOURCE_VERSION request=$REQUEST_ID"
echo "       file A=$(cat "$env/A") variable A=\${A:-unset} secret=\${TAILRACE_API_KEY:-unset}"
echo "       here=$(cat "$build/mine.txt") of $(ls "$(dirname "$0")/../lib")"
echo x >>"$cache/builds"; echo "       build $(wc -l <"$cache/builds" | tr -d ' ')"
mkdir -p "$build/.profile.d"
echo 'export FROM_PROFILE="at $HOME"' >"$build/.profile.d/mine.sh"
printf 'export PATH="/made/by/mine:$PATH" EXPORTED="it'"'"'s\ntwo lines"\n' >"$(dirname "$0")/../export"
`,
  'bin/release':
    '#!/bin/sh\nprintf -- "---\\naddons: []\\ndefault_process_types:\\n  clock: echo profile=\\$FROM_PROFILE; sleep 1000\\n"\n',
  'lib/part.sh': 'true\n',
};
const APP = { 'mine.txt': 'mine', Procfile: 'worker: sleep 1000\n' };

const git = (repository: GitRepository, ...args: string[]) => repository.git(...args).trim();

/** A buildpack and its address of each kind. */
const KINDS: readonly (readonly [string, (repository: GitRepository) => Promise<string>])[] = [
  ['a folder', async ({ folder: at }) => at],
  ['a git repository', async ({ folder: at }) => `file://${at}`],
  [
    'a branch',
    async (repository) => {
      git(repository, 'branch', 'stable');
      repository.commit({ 'bin/compile': '#!/bin/sh\nexit 9\n' });
      return `file://${repository.folder}#stable`;
    },
  ],
  [
    'a commit',
    async (repository) => {
      const commit = git(repository, 'rev-parse', 'HEAD');
      repository.commit({ 'bin/compile': '#!/bin/sh\nexit 9\n' });
      return `file://${repository.folder}#${commit}`;
    },
  ],
  [
    'an archive with one folder, as of a repository, behind a redirect',
    async (repository) => {
      const file = join(repository.folder, 'pack.tgz');
      git(repository, 'archive', '--format=tar.gz', '--prefix=pack-main/', '-o', file, 'HEAD');
      return `${await serveFile(file)}/moved/pack.tgz`;
    },
  ],
];

/** Over HTTPS, with one redirect. @returns its origin */
async function serveFile(file: string): Promise<string> {
  const { cert, key } = authority.issue('DNS:localhost');
  const files = createServer({ cert, key }, (request, response) => {
    if (request.url === '/moved/pack.tgz') response.writeHead(302, { location: '/pack.tgz' }).end();
    else if (request.url === '/plain.tgz')
      response.writeHead(302, { location: 'http://127.0.0.1/pack.tgz' }).end();
    else if (request.url === '/pack.tgz') createReadStream(file).pipe(response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void files.close());
  return `https://localhost:${(files.address() as AddressInfo).port}`;
}

describe('a buildpack', () => {
  it.each(KINDS)('from %s gets what the contract promises', async (_, addressOf) => {
    const pack = new GitRepository(server, CONFORMING);
    const app = await PushedApp.create(server, APP);
    await app.config({ A: 'secret stuff' });
    const address = await addressOf(pack);
    const set = await app.repository.tailrace('buildpacks:set', address, '-a', app.name);
    expect(set.stdout).toContain(`Buildpack set. Next release on ${app.name} will use ${address}.`);
    const first = await app.push();
    expect(first.output).toMatch(
      /-----> Conforming app detected\n-----> stack=heroku-\d+ source=\S* request=[0-9a-f-]{36}/,
    );
    expect(first.output).toMatch(/file A=secret stuff variable A=unset secret=unset/);
    expect(first.output).toMatch(/here=mine of part\.sh\n +build 1/);
    expect(first.output).toMatch(/Default types for buildpack -> clock/);
    expect(first.status).toBe(0);
    const again = await app.push();
    expect(again.output).toMatch(/build 2/);
    await app.repository.tailrace('ps:scale', '-a', app.name, 'clock=1');
    await app.waitForLine(/profile=at \S+\/dynos\/\S+\/app/);
  });

  it('hands on what it exports to the next one, and the last one says how the app is run', async () => {
    const first = new GitRepository(server, CONFORMING);
    const second = new GitRepository(server, {
      'bin/detect': '#!/bin/sh\necho Second\n',
      'bin/compile': '#!/bin/sh\necho "       got $EXPORTED of $PATH"\n',
      'bin/release': '#!/bin/sh\nprintf "default_process_types:\\n  web: sleep 1000\\n"\n',
    });
    const app = await PushedApp.create(server, {
      ...APP,
      'package.json': '{"scripts":{"build":"echo path=$PATH"}}',
    });
    const t = (...args: string[]) => app.repository.tailrace(...args, '-a', app.name);
    await t('buildpacks:add', first.folder);
    await t('buildpacks:add', second.folder);
    expect((await t('buildpacks:add', 'nodejs', '--index', '2')).stdout).toMatch(
      new RegExp(
        `Buildpack added.*will use:\\n {2}1\\. ${first.folder}\\n {2}2\\. heroku/nodejs\\n {2}3\\. ${second.folder}\\n`,
      ),
    );
    const pushed = await app.push();
    expect(pushed.output).toMatch(
      /Conforming app detected[\s\S]*Node\.js app detected[\s\S]*path=\S*\/made\/by\/mine:[\s\S]*Second app detected/,
    );
    expect(pushed.output).toMatch(/got it's\n *two lines of \S*\/made\/by\/mine:/);
    expect(pushed.output).toMatch(/Default types for buildpack -> web$/m);
    expect(pushed.status).toBe(0);
    const [build] = await server.request<{ buildpacks: { name: string }[] }[]>(
      'GET',
      `/apps/${app.name}/builds`,
    );
    expect(build.buildpacks[0].name).toBe('Conforming, Node.js, Second');

    expect((await t('buildpacks:remove', '--index', '3')).status).toBe(0);
    expect((await t('buildpacks:remove', 'nodejs')).stdout).toMatch(/will use \//);
    expect((await t('buildpacks:remove', 'nowhere')).stderr).toMatch(
      /Buildpack not found\. Nothing was removed/,
    );
    expect((await t('buildpacks:clear')).stdout).toMatch(/will detect buildpacks normally/);
    expect((await t('buildpacks')).stdout).toMatch(/has no buildpacks: they are detected/);
  });

  it('is listed by the app itself: in .buildpacks, app.json, or BUILDPACK_URL', async () => {
    const pack = new GitRepository(server, CONFORMING);
    const app = await PushedApp.create(server, { ...APP, 'package.json': '{}' });
    await app.config({ A: 'a' });
    const inAppJson = await app.push({
      'app.json': JSON.stringify({ buildpacks: [{ url: 'heroku/nodejs' }, { url: pack.folder }] }),
    });
    expect(inAppJson.output).toMatch(/Node\.js app detected[\s\S]*Conforming app detected/);
    const inFile = await app.push({ '.buildpacks': `# mine\n${pack.folder}\n` });
    expect(inFile.output).not.toMatch(/Node\.js app detected/);
    expect(inFile.output).toMatch(/Conforming app detected/);
    await app.config({ BUILDPACK_URL: 'heroku/nodejs' });
    expect((await app.push()).output).toMatch(/Node\.js app detected/);
  });

  it('that can’t be had, or doesn’t take the app, stops the build with a sentence', async () => {
    const app = await PushedApp.create(server, APP);
    const files = await serveFile('/dev/null');
    const cnb = new GitRepository(server, { 'buildpack.toml': '', 'bin/build': '#!/bin/sh\n' });
    const failing = new GitRepository(server, {
      'bin/compile': '#!/bin/sh\necho oh; exit 7\n',
      'bin/detect': '#!/bin/sh\n',
    });
    const choosy = new GitRepository(server, {
      'bin/compile': '#!/bin/sh\n',
      'bin/detect': '#!/bin/sh\nexit 1\n',
    });
    for (const [address, message] of [
      [
        `file://${failing.folder}#nowhere`,
        / ! {5}The buildpack \S+ can't be fetched: check its address, and that it has "nowhere"/,
      ],
      ['file:///nowhere/at/all.git', / ! {5}The buildpack file:\/\/\/nowhere\/at\/all\.git can't be fetched/],
      [`${files}/none.tgz`, /can't be fetched \(the answer is 404\)/],
      [`${files}/plain.tgz`, /leads to an address that isn't https/],
      [`${files}/pack.tgz`, /can't be fetched \(/],
      [cnb.folder, /is a Cloud Native Buildpack: only classic ones/],
      [folder, /There is no bin\/compile in/],
      [choosy.folder, / ! {5}The buildpack \S+ does not take this app \(its detection failed\)/],
      [failing.folder, /oh\n ! {5}Failed to compile custom app \(status 7\)/],
    ] as const) {
      await server.request('PUT', `/apps/${app.name}/buildpack-installations`, {
        updates: [{ buildpack: address }],
      });
      const pushed = await app.push();
      expect(pushed.output).toMatch(message);
      expect(pushed.status).not.toBe(0);
    }
  });

  it('of this machine’s network isn’t fetched unless that is allowed', async () => {
    const strict = await startServer({ env: { TAILRACE_ALLOW_PRIVATE_DRAINS: 'no' } });
    onTestFinished(() => strict.close());
    const app = await PushedApp.create(strict, APP);
    for (const buildpack of [
      'https://127.0.0.1:9/a.git',
      'https://169.254.169.254/a.tgz',
      'git@10.0.0.1:a/b.git',
    ]) {
      await strict.request('PUT', `/apps/${app.name}/buildpack-installations`, { updates: [{ buildpack }] });
      expect((await app.push()).output).toMatch(
        /A buildpack isn't fetched from \S+, which is on this machine or in its network/,
      );
    }
  });
});

describe('the API of buildpacks', () => {
  it('keeps what was set, by names and URLs, and refuses what is none', async () => {
    const { name } = await server.createApp();
    const path = `/apps/${name}/buildpack-installations`;
    const put = (...updates: string[]) =>
      server.request('PUT', path, { updates: updates.map((buildpack) => ({ buildpack })) });
    await put('urn:buildpack:heroku/nodejs', 'https://github.com/a/b.git#v1');
    expect(await server.request('GET', path)).toEqual([
      { ordinal: 0, buildpack: { url: 'urn:buildpack:heroku/nodejs', name: 'heroku/nodejs' } },
      {
        ordinal: 1,
        buildpack: { url: 'https://github.com/a/b.git#v1', name: 'https://github.com/a/b.git#v1' },
      },
    ]);
    await expect(put('http://example.com/a.git')).rejects.toThrow(/422.*without encryption/);
    await expect(put('nodejs', 'heroku/nodejs')).rejects.toThrow(/422.*already set/);
    await expect(put(...Array.from({ length: 21 }, (_, i) => `https://x/${i}.git`))).rejects.toThrow(/422/);
    await expect(server.request('PUT', path, {})).rejects.toThrow(/422/);
    expect(await server.request('GET', path)).toHaveLength(2);
    await put();
    expect(await server.request('GET', path)).toEqual([]);
    const known = await fetch(`${server.url}/buildpacks/${encodeURIComponent('heroku/nodejs')}`);
    expect(await known.json()).toMatchObject({ blob_url: 'urn:buildpack:heroku/nodejs' });
    expect((await fetch(`${server.url}/buildpacks/nonsense`)).status).toBe(422);
  });
});
