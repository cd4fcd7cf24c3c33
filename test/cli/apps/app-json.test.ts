/** `app.json`: with `create --from`, at the first deploy of an app that is there; and what isn't done. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APP_FILES, fetchFromApp, GitRepository } from '../../support/git-repository.ts';
import { missing } from '../../support/program.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

const config = (app: string) => server.request<Record<string, string>>('GET', `/apps/${app}/config-vars`);
const quantities = async (app: string) =>
  (
    await server.request<{ type: string; quantity: number; size: string }[]>('GET', `/apps/${app}/formation`)
  ).map(({ type, quantity, size }) => `${type}=${quantity}:${size}`);

const MANIFEST = {
  name: 'Guestbook',
  env: {
    A: 'from app.json',
    SECRET: { generator: 'secret' },
    OWNER: { description: 'whose it is' },
    MAYBE: { required: false },
  },
  formation: { web: { quantity: 2, size: 'standard-1x' }, worker: { quantity: 1 } },
  addons: ['heroku-redis:mini', 'no-such-service'],
  stack: 'heroku-24',
};

describe.skipIf(missing('redis-server'))('create --from app.json', () => {
  it('makes an app with config vars, add-ons and formation; postdeploy runs once, pr-predestroy at the end', async () => {
    const repository = new GitRepository(server, { ...APP_FILES });
    const said = join(repository.folder, 'said');
    const scripts = {
      postdeploy: `echo "seeding for $OWNER"; echo "post $OWNER \${REDIS_URL%%:*}" >> ${said}`,
      'pr-predestroy': `redis-cli -u "$REDIS_URL" ping >> ${said}`,
    };
    repository.commit({ 'app.json': JSON.stringify({ ...MANIFEST, scripts }) });

    const asked = await repository.tailrace('create', 'review-1', '--from', 'app.json');
    expect(asked.stderr).toMatch(
      /app\.json requires config vars that have no value: OWNER \(whose it is\)\. Give them: --env "OWNER=…"\. The app review-1 was not made\./,
    );
    await expect(server.request('GET', '/apps/review-1')).rejects.toThrow(/Couldn't find that app/);

    const made = await repository.tailrace('create', 'review-1', '--from', '.', '--env', 'OWNER=me;EXTRA=1');
    expect(made.stderr).toBe('');
    expect(made.stdout).toMatch(
      /"stack" is left out[\s\S]*The add-on no-such-service isn't there[\s\S]*Config vars: /,
    );
    expect(await config('review-1')).toEqual({
      A: 'from app.json',
      SECRET: expect.stringMatching(/^[0-9a-f]{64}$/),
      OWNER: 'me',
      EXTRA: '1',
      REDIS_URL: expect.stringMatching(/^redis:/),
    });
    expect(await server.request('GET', '/app-setups/review-1')).toMatchObject({ status: 'pending' });

    const pushed = await repository.push();
    expect(pushed.stderr).toMatch(/remote: -----> Postdeploy script: running\s+remote: {8}seeding for me/);
    expect(pushed.status).toBe(0);
    expect(await quantities('review-1')).toEqual(['web=2:Standard-1X', 'worker=1:Basic']);
    expect(await server.request('GET', '/app-setups/review-1')).toMatchObject({
      status: 'succeeded',
      postdeploy: { exit_code: 0 },
    });
    expect((await fetchFromApp(server, 'review-1')).a).toBe('from app.json');
    repository.commit({ 'version.txt': 'two\n' });
    expect((await repository.push()).stderr).not.toMatch(/Postdeploy/);
    expect((await repository.tailrace('destroy', 'review-1', '--confirm', 'review-1')).status).toBe(0);
    expect(readFileSync(said, 'utf8')).toBe('post me redis\nPONG\n');
  });

  it('an app of its own takes it at the first deploy, as far as it hasn’t it already', async () => {
    const repository = new GitRepository(server, {
      ...APP_FILES,
      'app.json': JSON.stringify({ ...MANIFEST, scripts: { postdeploy: 'touch /no/where' } }),
    });
    await repository.tailrace('create', 'plain');
    await repository.tailrace('config:set', 'A=mine');
    await repository.tailrace('addons:create', 'redis');
    const pushed = (await repository.push()).stderr;
    expect(pushed).toMatch(/remote: -----> Setting up as app\.json says/);
    expect(pushed).toMatch(/Config vars: SECRET/);
    expect(pushed).toMatch(/Formation: web=2 worker=1/);
    expect(pushed).toMatch(/required and not set: OWNER \(tailrace config:set OWNER=…\)/);
    expect(pushed).toMatch(/postdeploy isn't run for an app that was there before: tailrace run 'touch/);
    expect((await config('plain')).A).toBe('mine');
    expect(await server.request<unknown[]>('GET', '/apps/plain/addons')).toHaveLength(1);
    await repository.tailrace('scale', 'web=1', 'worker=0');
    repository.commit({ 'version.txt': 'two\n' });
    expect((await repository.push()).stderr).not.toMatch(/Setting up/);
    expect(await quantities('plain')).toEqual(['web=1:Standard-1X', 'worker=0:Basic']);
  });
});

describe('what isn’t done', () => {
  it('a failing postdeploy is said, and the app runs', async () => {
    const repository = new GitRepository(server, {
      ...APP_FILES,
      'app.json': '{"scripts":{"postdeploy":"echo oh no; exit 3"}}',
    });
    await repository.tailrace('create', 'unlucky', '--from', '.');
    const pushed = await repository.push();
    expect(pushed.stderr).toMatch(
      /oh no[\s\S]*The postdeploy script failed \(status 3\); the app runs\. Once more: tailrace run 'echo oh no; exit 3'/,
    );
    expect(pushed.status).toBe(0);
    expect(await server.request('GET', '/app-setups/unlucky')).toMatchObject({
      status: 'failed',
      postdeploy: { exit_code: 3 },
    });
    await until(
      'its answer',
      async () => (await fetchFromApp(server, 'unlucky').catch(() => undefined)) !== undefined,
    );
  });

  it('heroku.yml is refused with a sentence, unless it is left out', async () => {
    const repository = new GitRepository(server, {
      ...APP_FILES,
      'heroku.yml': 'build:\n  docker:\n    web: Dockerfile\n',
    });
    await repository.tailrace('create', 'dockered');
    const refused = await repository.push();
    expect(refused.stderr.replace(/\s+(remote: )?/g, ' ')).toMatch(
      /There is a heroku\.yml, which has Docker images built, and that can't be done here/,
    );
    expect(refused.status).not.toBe(0);
    expect((await repository.tailrace('create', 'other', '--from', 'heroku.yml')).stderr).toMatch(
      /write what its `setup` says into an app\.json/,
    );
    repository.commit({ '.slugignore': 'heroku.yml\n' });
    expect((await repository.push()).status).toBe(0);
  });

  it.each([
    ['{', [], /app\.json can't be used: it is no JSON/],
    ['{}', ['--environment', 'review'], /has no "review"; there are: none/],
    ['{"addons":["redis:nosuch"]}', [], /redis has the plans [\s\S]*The app bad was not made/],
    ['{}', ['--env', 'x'], /"x" sets nothing/],
    ['{}', ['--env', '1=2'], /can't be a config var's name/],
    ['{"env":{"1A":"x"}}', [], /"1A" can't be a config var's name[\s\S]*was not made/],
  ])('%s with %j is refused, and no app is made', async (text, args, sentence) => {
    const repository = new GitRepository(server, { 'app.json': text });
    const refused = await repository.tailrace('create', 'bad', '--from', '.', ...args);
    expect(refused.stderr).toMatch(sentence);
    expect(refused.status).toBe(1);
    await expect(server.request('GET', '/apps/bad')).rejects.toThrow(/Couldn't find that app/);
    expect(existsSync(join(repository.folder, '.git', 'refs', 'remotes'))).toBe(false);
  });

  it('without a file, or with what belongs to it, says so', async () => {
    const repository = new GitRepository(server, { 'a.txt': '' });
    expect((await repository.tailrace('create', 'bad', '--from', '.')).stderr).toMatch(
      /There is no \S+app\.json/,
    );
    expect((await repository.tailrace('create', 'bad', '--env', 'A=1')).stderr).toMatch(/are for --from/);
    // At a first deploy a broken one is said, and isn't in the way.
    repository.commit({ ...APP_FILES, 'app.json': '{"env":[]}' });
    await repository.tailrace('create', 'lenient');
    const pushed = await repository.push();
    expect(pushed.stderr).toMatch(/app\.json can't be used: "env" must be an object/);
    expect(pushed.status).toBe(0);
  });
});
