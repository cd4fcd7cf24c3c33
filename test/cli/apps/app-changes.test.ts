/** Commands that change an app or wait for it: names, sizes, host names; and those that say what to use instead. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GitRepository } from '../../support/git-repository.ts';
import { Program, runProgram, runTailrace, TAILRACE } from '../../support/program.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

const tailrace = (...args: string[]) => runTailrace(args, { env: server.env });

describe('a git remote names the app, as Heroku’s command has it', () => {
  it('-r at every command, and behind the one that `run` runs; --app counts more', async () => {
    const repository = new GitRepository(server);
    expect((await repository.tailrace('create', 'web-shop', '-r', 'production')).stdout).toMatch(
      /Git remote production added; deploy with: git push production main\n$/,
    );
    expect((await repository.tailrace('create', 'web-stage', '-r', 'staging')).status).toBe(0);
    expect((await repository.tailrace('config:set', 'A=x y', '-r', 'staging')).status).toBe(0);
    expect((await repository.tailrace('config', '-s', '--remote', 'staging')).stdout).toBe("A='x y'\n");
    expect((await repository.tailrace('config', '-s', '-r', 'staging', '-a', 'web-shop')).stdout).toBe('\n');
    expect((await repository.tailrace('config', '-s', '-a', 'web-shop', '-r', 'staging')).stdout).toBe('\n');
    expect((await repository.tailrace('config:get', 'A', '-s', '-r', 'staging')).stdout).toBe("A='x y'\n");
    expect((await repository.tailrace('info', '-s', '-r', 'staging')).stdout).toMatch(/^name=web-stage$/m);
    const releases = JSON.parse(
      (await repository.tailrace('releases', '-j', '-n', '1', '-r', 'staging')).stdout,
    );
    expect(releases).toMatchObject([{ version: 2 }]);
    repository.git('remote', 'add', 'elsewhere', 'https://key:secret@logs.example.com/web-shop.git');
    for (const [remote, sentence] of [
      ['nowhere', /This folder has no git remote nowhere: .*--app/],
      ['elsewhere', /leads to https:\/\/logs\.example\.com, and no key for it is here/],
    ] as const) {
      const refused = await repository.tailrace('ps', '-r', remote);
      expect(refused).toMatchObject({ status: 1, stdout: '', stderr: expect.stringMatching(sentence) });
      expect(refused.stderr).not.toContain('secret');
    }
  });
});

describe("create makes nothing that it can't tie to the repository", () => {
  const apps = async () => (await tailrace('apps')).stdout.split('\n');

  it.each(['bad name', 'a:b', '..', ''])('no app for a remote that git won’t have: "%s"', async (remote) => {
    const repository = new GitRepository(server);
    for (const words of [
      ['create', 'untied', '-r', remote],
      ['create', 'untied', '--from', 'nothing.json', '-r', remote],
    ]) {
      const refused = await repository.tailrace(...words);
      expect(refused).toMatchObject({ status: 1, stdout: '' });
      expect(refused.stderr).toContain(`"${remote}" can't be the name of a git remote`);
    }
    expect(await apps()).not.toContain('untied');
    expect(repository.git('remote').trim()).toBe('');
    expect((await repository.tailrace('create', 'untied-too', '-r', remote, '-n')).status).toBe(0);
    expect((await tailrace('apps:destroy', '-a', 'untied-too', '--confirm', 'untied-too')).status).toBe(0);
  });

  it('says what is there, and how to go on, when git can’t write', async () => {
    const repository = new GitRepository(server);
    writeFileSync(join(repository.folder, '.git', 'config.lock'), '');
    const made = await repository.tailrace('create', 'half-tied', '-r', 'staging');
    expect(made).toMatchObject({ status: 1, stdout: expect.stringContaining('Creating half-tied... done') });
    expect(made.stderr).toMatch(
      /half-tied was made, and its git remote wasn't: .*config.*\. Then: tailrace git:remote -a half-tied -r staging\n$/,
    );
    rmSync(join(repository.folder, '.git', 'config.lock'));
    expect((await repository.tailrace('git:remote', '-a', 'half-tied', '-r', 'staging')).status).toBe(0);
    expect((await repository.tailrace('info', '-s', '-r', 'staging')).stdout).toMatch(/^name=half-tied$/m);
  });
});

describe('apps:rename', () => {
  it('keeps lines, tails, drains, releases and dynos; the git remote follows', async () => {
    const receiver = await startHttpReceiver();
    const repository = new GitRepository(server);
    await repository.tailrace('create', 'shop');
    expect((await repository.push()).status).toBe(0);
    const token = await server.tokenOf('shop', 'app');
    await tailrace('log', '-a', 'shop', 'before');
    await repository.tailrace('drains:add', receiver.url);
    const tail = new Program(process.execPath, [TAILRACE, 'logs', '--tail', '-a', 'shop'], {
      env: server.env,
    });
    await tail.waitForOutput(/before/);
    repository.git('remote', 'add', 'other', repository.git('remote', 'get-url', 'tailrace').trim());

    const renamed = await repository.tailrace('apps:rename', 'store');
    expect(renamed.stdout).toMatch(
      /Renaming shop to store\.\.\. done\nhttp:\/\/store\.localhost\S* \| http:\S+\/store\.git\nGit remote other updated\nGit remote tailrace updated\n$/,
    );
    expect(renamed.status).toBe(0);
    await tailrace('log', '-a', 'store', 'after');
    await tail.waitForOutput(/after/);
    await tail.stop();
    await until('the line at the drain', () => receiver.acceptedMessages().includes('after'));
    expect((await repository.tailrace('drains')).stdout).toContain(new URL(receiver.url).host);
    expect((await repository.tailrace('releases')).stdout).toMatch(/=== store Releases - Current: v2/);
    expect(await server.readMessages({ id: '', name: 'store', token })).toEqual(
      expect.arrayContaining(['before', 'after']),
    );
    await until('its answer under the new name', async () => (await status('store')) === 200);
    repository.commit({ 'version.txt': 'two\n' });
    expect((await repository.push()).stderr).toMatch(/Released v3[\s\S]*store\.localhost/);
    expect((await tailrace('info', '-a', 'shop')).stderr).toMatch(/Couldn't find that app/);

    // The old name is free again.
    expect((await tailrace('create', 'shop', '--no-remote')).status).toBe(0);
    for (const [args, sentence] of [
      [['apps:rename', 'shop', '-a', 'store'], /Name shop is already taken/],
      [['apps:rename', 'Bad_Name', '-a', 'store'], /Name must start with a letter/],
      [['rename', 'other', '-a', 'nowhere'], /Couldn't find that app/],
    ] as const) {
      const refused = await tailrace(...args);
      expect(refused.stderr).toMatch(sentence);
      expect(refused.status).toBe(1);
    }
  });

  it('two at once leave one name', async () => {
    const { id } = await server.createApp('first-name');
    const names = ['name-b', 'name-c', 'name-d', 'name-e'];
    await Promise.allSettled(names.map((name) => server.request('PATCH', `/apps/${id}`, { name })));
    const { name } = await server.request<{ name: string }>('GET', `/apps/${id}`);
    expect(names).toContain(name);
    for (const other of ['first-name', ...names].filter((one) => one !== name))
      await expect(server.request('GET', `/apps/${other}`)).rejects.toThrow(/Couldn't find that app/);
    // Nor does a change of something else bring an old name back.
    await Promise.all([
      server.request('PATCH', `/apps/${id}`, { maintenance: true }),
      server.request('PATCH', `/apps/${id}`, { name: 'name-f' }),
    ]);
    expect(await server.request('GET', `/apps/name-f`)).toMatchObject({ id, maintenance: true });
  });

  async function status(app: string): Promise<number> {
    const { request } = await import('undici');
    const response = await request(`http://127.0.0.1:${server.routerPort}/`, {
      headers: { host: `${app}.localhost` },
    });
    await response.body.dump();
    return response.statusCode;
  }
});

describe('dynos', () => {
  it('ps:wait waits for the current release, and says when it was reached; ps:type shows and changes sizes', async () => {
    const repository = new GitRepository(server, {
      // Up only when somebody has made the file.
      Procfile: 'web: while [ ! -e "$GATE" ]; do sleep 0.1; done; exec node web.cjs\nworker: sleep 1000\n',
      'web.cjs': "require('http').createServer((q, r) => r.end()).listen(process.env.PORT)",
      'gate.txt': '',
    });
    const gate = `${repository.folder}/gate.txt`;
    await repository.tailrace('create', 'waiting');
    await server.request('PATCH', '/apps/waiting/config-vars', { GATE: gate });
    expect((await repository.tailrace('ps:wait')).status).toBe(0); // nothing to wait for
    expect((await repository.tailrace('ps:type', 'basic')).stderr).toMatch(/has no process types yet/);
    expect((await repository.tailrace('push')).status).toBe(0);
    expect(await repository.tailrace('ps:wait', '-w', '0.2')).toMatchObject({ status: 0, stdout: '' });

    await server.request('PATCH', '/apps/waiting/config-vars', { GATE: `${gate}.2` });
    const waiting = new Program(process.execPath, [TAILRACE, 'ps:wait', '-w', '0.2', '-a', 'waiting'], {
      env: server.env,
    });
    await until('it waits', () => /to be running v4\n0 \/ 1\n$/.test(waiting.stderr));
    repository.write({ 'gate.txt.2': '' });
    expect(await waiting.exited).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/1 \/ 1, done\n$/),
    });

    expect((await tailrace('ps:wait', '-t', 'nosuch', '-a', 'waiting')).stderr).toMatch(
      /waiting has no process type nosuch; there are: web, worker/,
    );
    expect((await tailrace('ps:wait', '-w', '0', '-a', 'waiting')).stderr).toMatch(/number of seconds/);
    expect((await tailrace('ps:wait', '-a', 'nowhere')).stderr).toMatch(/Couldn't find that app/);

    expect((await tailrace('ps:type', '-a', 'waiting')).stdout).toMatch(
      /^TYPE +SIZE +QTY +COMMAND\nweb +Basic +1 +while[^\n]+\nworker +Basic +0 +sleep 1000\n$/,
    );
    expect((await tailrace('ps:type', 'standard-1x', '-a', 'waiting')).stdout).toMatch(
      /web +Standard-1X[\s\S]*worker +Standard-1X/,
    );
    expect((await tailrace('ps:resize', 'worker=performance-l', '-a', 'waiting')).stdout).toMatch(
      /web +Standard-1X[\s\S]*worker +Performance-L/,
    );
    for (const [args, sentence] of [
      [['huge'], /No such size as huge/],
      [['web=huge'], /No such size as huge/],
      [['nosuch=basic'], /Couldn't find that process type \(nosuch\)/],
      [['basic', 'web=basic'], /"basic" gives nothing a size/],
    ] as const)
      expect((await tailrace('ps:type', ...args, '-a', 'waiting')).stderr).toMatch(sentence);
  });
});

describe('config:set --file', () => {
  const set = (input: string | Buffer, ...args: string[]) =>
    runTailrace(['config:set', '-a', 'secretive', ...args], { env: server.env, input });

  it('takes config vars from a file or standard input, as .env has them, beside those of the command line', async () => {
    await server.createApp('secretive');
    const multiline = 'KEY="-----BEGIN\\nEND-----"\n# a comment\nURL=redis://:pw@h/ # another\n';
    expect(await set(multiline, '--file', '-', 'URL=mine', 'B=2')).toMatchObject({ status: 0, stderr: '' });
    const { stdout } = await tailrace('config', '-a', 'secretive', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ KEY: '-----BEGIN\nEND-----', URL: 'mine', B: '2' });
  });

  it.each([
    [[], '', 'What should be set? Write NAME=value, or --file FILE.'],
    [['--file', '-'], '# nothing\n', 'Standard input has no config var: write a line NAME=value.'],
    [['--file', '-'], 'A=1\nno name\n', 'Line 2: '],
    [['--file', '-'], Buffer.from('A=1\nB=größe\n', 'latin1'), 'Line 2: there are bytes that are no UTF-8'],
    [
      ['--file', '/nonexistent/x'],
      '',
      "/nonexistent/x can't be read (ENOENT): name a file of config vars, or -",
    ],
  ])('%j with %j is refused in a sentence', async (args, input, message) => {
    const refused = await set(input, ...args);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining(message) });
    expect(refused.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it('a value that is no UTF-8 is refused: what would be stored is another one', async () => {
    await server.createApp('encoded');
    const typed = (value: string) =>
      runProgram(
        'bash',
        ['-c', `exec "$0" "$1" config:set -a encoded OK=1 BAD=$'${value}'`, process.execPath, TAILRACE],
        {
          env: { ...server.env, PATH: process.env.PATH },
        },
      );
    const refused = await typed('\\xff\\xfe');
    expect(refused.stderr).toMatch(/^ › {3}Error: What follows BAD= isn't UTF-8, [^\n]+ base64 say\.\n$/);
    expect(refused.status).toBe(1);
    expect(await server.request('GET', '/apps/encoded/config-vars')).toEqual({});
    // That letter itself is one like any other.
    expect(await typed('\\xef\\xbf\\xbd')).toMatchObject({ status: 0, stderr: '' });
    expect(await server.request('GET', '/apps/encoded/config-vars')).toEqual({ OK: '1', BAD: '\uFFFD' });
  });
});

describe('host names and what isn’t here', () => {
  it('domains:clear takes all away that were added', async () => {
    await server.createApp('hosts');
    expect((await tailrace('domains:clear', '-a', 'hosts')).stdout).toMatch(
      /has no host names that were added/,
    );
    for (const name of ['www.example.org', '*.example.org'])
      await tailrace('domains:add', name, '-a', 'hosts');
    const cleared = await tailrace('domains:clear', '-a', 'hosts');
    expect(cleared.stdout).toMatch(/Removing \*\.example\.org, www\.example\.org from hosts\.\.\. done/);
    expect((await tailrace('domains', '-a', 'hosts')).stdout).toBe('hosts.localhost\n');
    expect((await tailrace('domains:clear', '-a', 'nowhere')).stderr).toMatch(/Couldn't find that app/);
  });

  it('the name that an app has by itself is no other’s, nor its own twice', async () => {
    await server.createApp('named');
    await server.createApp('other-one');
    for (const app of ['named', 'other-one'])
      expect((await tailrace('domains:add', 'Named.localhost', '-a', app)).stderr).toContain(
        'named.localhost is already the domain of an app.',
      );
    expect((await tailrace('domains:add', 'München.de', '-a', 'named')).stderr).toContain(
      '"München.de" is no host name: write it like xn--mnchen-3ya.de, without',
    );
    expect((await tailrace('domains:add', 'nobodys.localhost', '-a', 'named')).status).toBe(0);
  });

  it.each([
    [['certs', '-a', 'tls-app'], 0, /tls-app has no certificates\. [\s\S]*nginx, Caddy/],
    [['certs:add', 'a.crt', 'a.key', '-a', 'tls-app'], 1, /nginx, Caddy/],
    [['certs:auto:enable', '-a', 'tls-app'], 1, /nginx, Caddy/],
    [['help', 'container:push'], 1, /Docker images are not run here/],
    [['pg:bloat', '-a', 'tls-app'], 1, /^ › {3}Error: `tailrace pg:psql/],
    [['certs', '-a', 'nowhere'], 1, /Couldn't find that app/],
    [['pipelines'], 0, /`tailrace promote -a APP --to OTHER`/],
  ])('%j says what to use', async (args, status, sentence) => {
    await server.createApp('tls-app').catch(() => {});
    const answer = await tailrace(...args);
    expect(`${answer.stdout}${answer.stderr}`).toMatch(sentence);
    expect(answer.status).toBe(status);
  });
});
