/** releases:output, releases:retry and promote: with the release command, and what they say when there is nothing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APP_FILES, fetchFromApp, GitRepository } from '../../support/git-repository.ts';
import { HerokuCli } from '../../support/heroku/heroku-cli.ts';
import { Program, runTailrace, TAILRACE } from '../../support/program.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

/** Fails as the file that `FAIL` names says, and waits while the file that `HOLD` names isn't there. */
const PROCFILE =
  'web: node web.cjs\nrelease: echo "migrating $A"; until [ -z "$HOLD" ] || [ -e "$HOLD" ]; do sleep 0.05; done; [ ! -e "$FAIL" ]\n';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

const tailrace = (...args: string[]) => runTailrace(args, { env: server.env });
const releases = (app: string) =>
  server.request<{ version: number; status: string; description: string; slug: { id: string } | null }[]>(
    'GET',
    `/apps/${app}/releases`,
  );

describe('release commands', () => {
  it('releases:output shows and follows them, releases:retry runs the last one again', async () => {
    const repository = new GitRepository(server, { ...APP_FILES, Procfile: PROCFILE });
    await repository.tailrace('create', 'phased');
    expect((await tailrace('releases:output', '-a', 'phased')).stderr).toMatch(/Release v1 has no output/);
    expect((await tailrace('releases:retry', '-a', 'phased')).stderr).toMatch(
      /phased has no release command/,
    );
    const fail = `${repository.folder}/fail`;
    const hold = `${repository.folder}/hold`;
    await repository.tailrace('config:set', 'A=one', `FAIL=${fail}`, `HOLD=${hold}`);

    // While it runs.
    const push = new Program('git', ['push', 'tailrace', 'main'], {
      cwd: repository.folder,
      env: { ...server.env, HOME: repository.folder, GIT_TERMINAL_PROMPT: '0' },
    });
    await until('the release command', async () =>
      (await releases('phased')).some(({ status }) => status === 'pending'),
    );
    const follower = new Program(process.execPath, [TAILRACE, 'releases:output', '-a', 'phased'], {
      env: server.env,
    });
    await follower.waitForOutput(/migrating one/);
    repository.write({ hold: '' });
    expect(await follower.exited).toMatchObject({ status: 0, stdout: 'migrating one\n' });
    expect((await push.exited).status).toBe(0);
    expect((await tailrace('releases:output', 'v3', '-a', 'phased')).stdout).toBe('migrating one\n');

    repository.write({ fail: '' });
    const failed = await tailrace('releases:retry', '-a', 'phased');
    expect(failed.stdout).toBe('Running release command...\nmigrating one\n');
    expect(failed.stderr).toMatch(/The release command failed \(status 1\): v4 isn't released/);
    expect(failed.status).toBe(1);
    repository.git('clean', '-fdq', 'fail');
    const retried = await tailrace('releases:retry', '-a', 'phased');
    expect(retried).toMatchObject({ status: 0, stderr: '' });
    expect(retried.stdout).toBe(
      'Running release command...\nmigrating one\nRetrying v4 on phased... done, v5\n',
    );
    expect((await releases('phased')).at(-1)).toMatchObject({
      status: 'succeeded',
      description: expect.stringMatching(/^Retry of v4: Retry of v3: Deploy /),
    });

    for (const [args, sentence] of [
      [['releases:output', 'v99', '-a', 'phased'], /Couldn't find that release/],
      [['releases:output', '-a', 'nowhere'], /Couldn't find that app/],
      [['releases:retry', '-a', 'nowhere'], /Couldn't find that app/],
    ] as const) {
      const refused = await tailrace(...args);
      expect(refused.stderr).toMatch(sentence);
      expect(refused.status).toBe(1);
    }

    const heroku = new HerokuCli(server);
    try {
      expect(await heroku.runOk('releases:output -a phased')).toMatch(/^migrating one$/m);
      expect(await heroku.runOk('releases:retry -a phased')).toMatch(/done, v6[\s\S]*migrating one/);
    } finally {
      heroku.close();
    }
  });
});

describe('promote', () => {
  it('releases the same slug to another app, with the other’s config vars and release command', async () => {
    const repository = new GitRepository(server, { ...APP_FILES, Procfile: PROCFILE });
    for (const [name, value] of [
      ['staging', 'stage'],
      ['live', 'prod'],
      ['live-too', 'too'],
    ]) {
      await server.request('POST', '/apps', { name });
      await server.request('PATCH', `/apps/${name}/config-vars`, { A: value });
    }
    expect((await tailrace('promote', '-a', 'staging', '--to', 'live')).stderr).toMatch(
      /staging has nothing to promote: deploy it first/,
    );
    await repository.tailrace('push', '-a', 'staging');
    const promoted = await tailrace('promote', '-a', 'staging', '--to', 'live,live-too');
    expect(promoted.stdout).toBe(
      [
        'Running release command...\nmigrating prod\nPromoting staging v3 to live... done, v3\n',
        'Running release command...\nmigrating too\nPromoting staging v3 to live-too... done, v3\n',
      ].join(''),
    );
    await until(
      'its answer',
      async () => (await fetchFromApp(server, 'live').catch(() => undefined))?.a === 'prod',
    );

    // It is a copy of its own: nothing of the other app is needed.
    const [source, target] = [(await releases('staging')).at(-1), (await releases('live')).at(-1)];
    expect(target?.slug?.id).not.toBe(source?.slug?.id);
    expect(target?.description).toBe('Promote staging v3');
    await tailrace('destroy', 'staging', '--confirm', 'staging');
    expect((await tailrace('config:set', '-a', 'live', 'A=later')).status).toBe(0);
    await until(
      'the later value',
      async () => (await fetchFromApp(server, 'live').catch(() => undefined))?.a === 'later',
    );
    expect((await tailrace('rollback', 'v3', '-a', 'live')).status).toBe(0);

    // Where its release command fails, an app stays as it is; the others get it.
    await server.request('PATCH', '/apps/live-too/config-vars', { FAIL: '/etc/passwd' }).catch(() => {});
    expect((await releases('live-too')).at(-1)).toMatchObject({ status: 'failed' });
    const both = await tailrace('promote', '-a', 'live', '--to', 'live-too');
    expect(both.status).toBe(0);
    for (const [args, sentence] of [
      [['--to', 'nowhere'], /Couldn't find the app nowhere; nothing was promoted/],
      [['--to', 'live-too,nowhere'], /nothing was promoted/],
      [['--to', 'live'], /live can't be promoted to itself/],
      [['--to', ','], /Name the app that gets it/],
      [[], /required option '-t, --to <apps>'/i],
    ] as const) {
      const refused = await tailrace('promote', '-a', 'live', ...args);
      expect(refused.stderr).toMatch(sentence);
      expect(refused.status).toBe(1);
    }
    await expect(server.request('POST', '/apps/live/releases', { slug: 'nosuch' })).rejects.toThrow(
      /Couldn't find that slug/,
    );
    // At once, to the same app: one after the other.
    const before = (await releases('live-too')).length;
    await Promise.all([1, 2, 3].map(() => tailrace('promote', '-a', 'live', '--to', 'live-too')));
    expect((await releases('live-too')).slice(before).map(({ status }) => status)).toEqual(
      Array(3).fill('succeeded'),
    );

    const heroku = new HerokuCli(server);
    try {
      expect(await heroku.runOk('pipelines')).toMatch(/My Pipelines/);
      const refused = await heroku.run('pipelines:promote -a live --to live-too');
      expect(refused.stderr.replace(/\s*›?\s+/g, ' ')).toMatch(/`tailrace promote -a APP --to OTHER`/);
      expect(refused.status).not.toBe(0);
    } finally {
      heroku.close();
    }
  });
});
