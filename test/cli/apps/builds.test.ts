/** Builds: what they said is kept, they can be canceled, and nothing of a canceled one is released. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GitRepository } from '../../support/git-repository.ts';
import { Program, runTailrace, TAILRACE } from '../../support/program.ts';
import { dataFolderForTest, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

interface BuildView {
  readonly id: string;
  readonly status: string;
}

/** A buildpack that says when it has begun, and goes on when somebody has made the file `go`. */
const BUILDPACK = {
  'pack/bin/detect': '#!/bin/sh\necho Slow\n',
  'pack/bin/compile':
    '#!/bin/sh\necho "begun $$"\n(trap "" TERM; sleep 1000) &\nuntil [ -e "$(cat "$3/GO")" ]; do sleep 0.1; done\necho "over now"\nkill -9 $!\n',
  'pack/bin/release': '#!/bin/sh\n',
};

const builds = (server: Server, app: string) => server.request<BuildView[]>('GET', `/apps/${app}/builds`);

async function slowApp(server: Server, name: string) {
  const repository = new GitRepository(server, { ...BUILDPACK, Procfile: 'worker: sleep 1000\n' });
  const go = join(repository.folder, 'go');
  await server.request('POST', '/apps', { name });
  await server.request('PATCH', `/apps/${name}/config-vars`, {
    BUILDPACK_URL: join(repository.folder, 'pack'),
    GO: go,
  });
  return repository;
}

/** `tailrace push` that has begun to build; resolves with the pid of the build. */
async function startPush(server: Server, repository: GitRepository, app: string) {
  const push = new Program(process.execPath, [TAILRACE, 'push', '-a', app], {
    env: server.env,
    cwd: repository.folder,
  });
  const [, pid] = await push.waitForOutput(/begun (\d+)/);
  return { push, pid: Number(pid) };
}

describe('builds', () => {
  it('are listed, shown, followed and canceled', async () => {
    const server = await startServer();
    const data = server.data;
    try {
      const tailrace = (...args: string[]) => runTailrace(args, { env: server.env });
      const repository = await slowApp(server, 'slow');
      expect((await tailrace('builds', '-a', 'slow')).stdout).toMatch(/slow has no builds yet: push it/);
      for (const command of ['builds:info', 'builds:output'])
        expect((await tailrace(command, '-a', 'slow')).stderr).toMatch(/slow has no builds yet/);
      expect((await tailrace('builds:cancel', '-a', 'slow')).stderr).toMatch(/No build of slow runs/);
      expect((await tailrace('builds', '-a', 'nowhere')).stderr).toMatch(/Couldn't find that app/);

      const { push, pid } = await startPush(server, repository, 'slow');
      expect((await tailrace('builds', '-a', 'slow')).stdout).toMatch(
        /=== slow Builds\n\n\S{36} +pending +- /,
      );
      const second = await tailrace('push', '-a', 'slow', '-d', repository.folder);
      expect(second.stderr).toMatch(/Another build of slow is in progress/);
      expect((await tailrace('builds:cache:purge', '-a', 'slow')).stderr).toMatch(
        /Another build of slow is in progress/,
      );
      const follower = new Program(process.execPath, [TAILRACE, 'builds:output', '-a', 'slow'], {
        env: server.env,
      });
      await follower.waitForOutput(/begun/);
      expect((await tailrace('builds:info', '-a', 'slow')).stdout).toMatch(
        /Status: +pending[\s\S]*not over yet/,
      );

      expect((await tailrace('builds:cancel', '-a', 'slow')).stdout).toMatch(
        /Canceling build \S{36} of slow\.\.\. done/,
      );
      const canceled = await push.exited;
      expect(canceled.status).toBe(1);
      expect(canceled.stdout).toMatch(/ ! {5}The build was canceled: nothing was released\./);
      expect((await follower.exited).stdout).toMatch(/The build was canceled/);
      await until('the build’s processes to be gone', () => !existsSync(`/proc/${pid}`));
      expect(await server.request<unknown[]>('GET', '/apps/slow/releases')).toHaveLength(2);
      expect(await server.request('GET', '/apps/slow')).toMatchObject({ slug_size: null });
      expect(readdirSync(join(data, 'host', 'slugs'))).toEqual([]);
      await until('no folder of the build', () => readdirSync(join(data, 'host', 'work')).length === 0);
      const [{ id }] = await builds(server, 'slow');
      expect((await tailrace('builds:cancel', id, '-a', 'slow')).stderr).toMatch(
        /This build is over: it has failed/,
      );
      expect((await tailrace('builds:cancel', 'zzz', '-a', 'slow')).stderr).toMatch(
        /Couldn't find that build/,
      );

      // The next one isn't in its way.
      repository.write({ go: '' });
      expect((await tailrace('push', '-a', 'slow', '-d', repository.folder)).stdout).toMatch(/Released v3/);
      expect((await tailrace('builds:info', '-a', 'slow')).stdout).toMatch(
        /Status: +succeeded\nRelease: +v3\n[\s\S]*Buildpacks: +Slow/,
      );
      expect((await tailrace('builds:output', id.slice(0, 12), '-a', 'slow')).stdout).toMatch(
        /begun[\s\S]*canceled/,
      );
      const caches = join(data, 'caches');
      expect(readdirSync(caches)).not.toEqual([]);
      for (const _ of ['all of it', 'nothing'])
        expect((await tailrace('builds:cache:purge', '-a', 'slow')).stdout).toBe(
          'Purging the build cache of slow... done\n',
        );
      expect(readdirSync(caches)).toEqual([]);
    } finally {
      await server.close();
    }
  });

  it('of git are canceled too, and one at a time', async () => {
    const server = await startServer();
    try {
      const repository = await slowApp(server, 'pushed');
      await repository.tailrace('git:remote', '-a', 'pushed');
      const pushed = repository.push();
      await until('its build', async () =>
        (await builds(server, 'pushed')).some(({ status }) => status === 'pending'),
      );
      const [{ id }] = await builds(server, 'pushed');
      const all = await Promise.allSettled(
        [1, 2, 3].map(() => server.request('DELETE', `/apps/pushed/builds/${id}`)),
      );
      expect(all.some(({ status }) => status === 'fulfilled')).toBe(true);
      const { status, stderr } = await pushed;
      expect(stderr).toMatch(/remote: {2}! {5}The build was canceled: nothing was released/);
      expect(status).toBe(1);
      expect(repository.git('ls-remote', 'tailrace')).toBe('');
      // An app that is destroyed takes its build with it.
      const { push, pid } = await startPush(server, repository, 'pushed');
      expect(
        (await runTailrace(['destroy', 'pushed', '--confirm', 'pushed'], { env: server.env })).status,
      ).toBe(0);
      expect((await push.exited).status).toBe(1);
      await until('its processes to be gone', () => !existsSync(`/proc/${pid}`));
      expect(readdirSync(join(server.data, 'builds'))).toEqual([]);
    } finally {
      await server.close();
    }
  });

  it('are there after a restart; one that the server died in has failed', async () => {
    const data = dataFolderForTest();
    let server = await startServer({ data });
    const repository = await slowApp(server, 'kept');
    repository.write({ go: '' });
    await repository.tailrace('push', '-a', 'kept');
    repository.git('clean', '-fdq');
    const { push, pid } = await startPush(server, repository, 'kept');
    await server.kill();
    await push.exited;
    server = await startServer({ data });
    try {
      await until('the build’s program to be ended', () => !existsSync(`/proc/${pid}`));
      const tailrace = (...args: string[]) => runTailrace(args, { env: server.env });
      expect((await builds(server, 'kept')).map(({ status }) => status)).toEqual(['succeeded', 'failed']);
      expect((await tailrace('builds:output', '-a', 'kept')).stdout).toMatch(
        /The server died during this build/,
      );
      const [{ id }] = await builds(server, 'kept');
      expect((await tailrace('builds:output', id, '-a', 'kept')).stdout).toMatch(
        /begun \d+\n[\s\S]*Released v3/,
      );
      expect((await tailrace('builds:cancel', '-a', 'kept')).stderr).toMatch(/No build of kept runs/);
    } finally {
      await server.close();
    }
  });
});
