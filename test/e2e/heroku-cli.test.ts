/** The official `heroku` command, unmodified, against a real `tailrace start`: every command, and what it prints. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Heroku } from '../support/heroku.ts';
import { missing, run } from '../support/program.ts';
import { startApp } from '../support/started-app.ts';
import { until } from '../support/until.ts';

const WEB = `require('http').createServer((q, r) => r.end('A is ' + process.env.A)).listen(process.env.PORT)`;
const FILES = {
  Procfile: 'web: node web.cjs\nworker: while true; do echo tick; sleep 0.2; done\n',
  'web.cjs': WEB,
};

let server: Awaited<ReturnType<typeof startApp>>;
let heroku: Heroku;

beforeAll(async () => {
  server = await startApp('shop', FILES, 25_100);
  heroku = new Heroku(server);
}, 300_000);
afterAll(async () => {
  await server?.close();
  heroku?.close();
});

const h = (command: string): Promise<string> => heroku.prints(`${command} -a shop`);

/** What the app answers through the HTTP router, which waits while it restarts. */
async function answer(accept = '*/*'): Promise<string> {
  const address = server.webUrl.replace('shop.localhost', '127.0.0.1');
  return (await fetch(address, { headers: { accept } })).text();
}

/** The processes of a dyno that is up: asked of the API, since a command takes seconds. */
async function idOf(dyno: string): Promise<string | undefined> {
  const dynos = await server.ask<{ name: string; id: string; state: string }[]>('GET', '/apps/shop/dynos');
  return dynos.find(({ name, state }) => name === dyno && state === 'up')?.id;
}

describe('apps', { timeout: 180_000 }, () => {
  it('are listed, created, shown and destroyed', async () => {
    expect(await heroku.prints('apps')).toMatch(/=== owner@tailrace.localhost Apps\s+shop \(localhost\)/);
    expect(await heroku.prints('apps:create blue-lake')).toMatch(
      /Creating blue-lake... done[\s\S]*http:\/\/blue-lake\.localhost:\d+\/ \| \S+\/blue-lake\.git/,
    );
    expect(await heroku.prints('apps:info -a blue-lake')).toMatch(
      /=== blue-lake[\s\S]*Owner:\s+owner@tailrace\.localhost[\s\S]*Stack:\s+local/,
    );
    expect(await heroku.prints('apps:destroy -a blue-lake --confirm blue-lake')).toMatch(
      /Destroying blue-lake .*done/,
    );
    const gone = await heroku.run('apps:info -a blue-lake');
    expect(gone.status).not.toBe(0);
    expect(gone.stderr).toMatch(/Couldn't find that app\.[\s\S]*not_found/);
  });

  it('have names by Heroku’s rule', async () => {
    const refused = await heroku.run('apps:create Blue_Lake');
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toMatch(/Name must start with a letter/);
    expect((await heroku.run('apps:create shop')).stderr).toMatch(/Name shop is already taken/);
  });

  it('are renamed', async () => {
    expect(await h('apps:rename shoe')).toMatch(/Renaming shop to shoe... done/);
    expect(await heroku.prints('apps:rename shop -a shoe')).toMatch(/Renaming shoe to shop... done/);
  });

  it('belong to whoever has the key', async () => {
    expect(await heroku.prints('auth:whoami')).toMatch(/^owner@tailrace\.localhost$/m);
    expect(await h('access')).toMatch(/owner@tailrace\.localhost\s+owner/);
  });
});

describe('config vars and releases', { timeout: 180_000 }, () => {
  it('config vars are set several at once, reach the dynos, and are taken away', async () => {
    expect(await h('config:set A=one B=two')).toMatch(/Setting A, B and restarting shop... done, v2/);
    expect(await h('config')).toMatch(/A: one\nB: two/);
    expect(await h('config:get A')).toMatch(/^one$/m);
    await until('the new value in the app', async () => (await answer()) === 'A is one');
    expect(await h('config:unset B')).toMatch(/Unsetting B and restarting shop... done, v3/);
    expect(await h('config')).not.toMatch(/B: two/);
  });

  it('their values are in no line of the stream', async () => {
    await h('config:set SECRET=hunter2');
    const lines = await server.lines({ id: '', name: 'shop', token: '' });
    expect(lines.some((line) => line.includes('Set SECRET config vars by user owner@'))).toBe(true);
    expect(lines.filter((line) => line.includes('hunter2'))).toEqual([]);
  });

  it('releases are listed, shown and rolled back to', async () => {
    expect(await h('releases')).toMatch(
      /v3\s+Remove B config vars[\s\S]*v2\s+Set A, B config vars[\s\S]*v1\s+Initial release/,
    );
    expect(await h('releases:info v2')).toMatch(
      /=== Release v2[\s\S]*Change:\s+Set A, B config vars[\s\S]*A: one\nB: two/,
    );
    expect(await h('rollback v2')).toMatch(/Rolling back shop to v2... done, v5/);
    expect(await h('config')).toMatch(/A: one\nB: two/);
    const unknown = await heroku.run('releases:info v99 -a shop');
    expect(unknown.stderr).toMatch(/Couldn't find that release/);
  });
});

describe('dynos', { timeout: 180_000 }, () => {
  it('are shown and scaled, also by a difference', async () => {
    expect(await h('ps')).toMatch(/=== web \(Basic\): node web\.cjs \(1\)\s+web\.1: up /);
    expect(await h('ps:scale web=2 worker+1')).toMatch(
      /Scaling dynos... done, now running web at 2:Basic, worker at 2:Basic/,
    );
    expect(await h('ps:scale')).toMatch(/web=2:Basic worker=2:Basic/);
    await until('two web dynos', () => idOf('web.2'), 20_000);
    expect(await h('ps')).toMatch(/web\.1: up[\s\S]*web\.2: up/);
    expect(await h('scale worker-1')).toMatch(/worker at 1:Basic/);
  });

  it('what can’t be is refused with Heroku’s errors', async () => {
    expect((await heroku.run('ps:scale nosuch=1 -a shop')).stderr).toMatch(/Couldn't find that process type/);
    expect((await heroku.run('ps:scale web=10000 -a shop')).stderr).toMatch(/Cannot scale web to 10000/);
    expect((await heroku.run('ps:scale web-50 -a shop')).stderr).toMatch(/Cannot scale web to -\d+/);
    expect((await heroku.run('ps:restart -d web.77 -a shop')).stderr).toMatch(/Couldn't find that dyno/);
  });

  it('are restarted and stopped', async () => {
    const before = await until('web.1 to be up', () => idOf('web.1'));
    expect(await h('ps:restart -d web.1')).toMatch(/Restarting dyno web\.1 on shop... done/);
    await until('another web.1', async () => ![before, undefined].includes(await idOf('web.1')), 20_000);
    expect(await h('ps:restart')).toMatch(/Restarting all dynos on shop... done/);
    expect(await h('ps:restart -p web')).toMatch(/Restarting all web dynos on shop... done/);
    expect(await h('ps:stop -d worker.1')).toMatch(/Stopping dyno worker\.1 on shop... done/);
    await until('worker.1 to be down', async () => (await idOf('worker.1')) === undefined, 20_000);
    expect(await h('ps')).toMatch(/worker\.1: down/);
    await h('ps:restart -d worker.1');
  });
});

describe('logs', { timeout: 180_000 }, () => {
  it('come by number, source and dyno', async () => {
    const lines = (await heroku.run('logs -n 5 -d worker.1 -a shop')).stdout.trim().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines.every((line) => /^\S+ (app|heroku)\[worker\.1\]: /.test(line))).toBe(true);
    expect((await heroku.run('logs -s heroku -n 100 -a shop')).stdout).not.toMatch(/ app\[/);
  });

  it('--tail shows lines as they come', async () => {
    const tail = heroku.start('logs --tail -n 1 -a shop');
    const token = await server.tokenOf('shop', 'app');
    await tail.says(/\n/);
    await fetch(`${server.url}/logs?token=${token}&dyno=hand`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key}`, 'content-type': 'text/plain' },
      body: 'said by hand\n',
    });
    await tail.says(/app\[hand\]: said by hand/);
    await tail.stop('SIGINT');
  });
});

describe('drains', { timeout: 180_000 }, () => {
  it('are added, listed and removed', async () => {
    const url = 'https://user:pass@logs.example.com/x?y=1';
    expect(await h(`drains:add ${url}`)).toMatch(/Successfully added drain/);
    expect(await h('drains')).toMatch(/=== Drains\s+https:\/\/\S+ \(d\.[0-9a-f-]{36}\)/);
    expect((await heroku.run(`drains:add ${url} -a shop`)).stderr).toMatch(/Url has already been taken/);
    expect(await h(`drains:remove ${url}`)).toMatch(/Successfully removed drain/);
    expect(await h('drains')).not.toMatch(/logs\.example\.com/);
  });
});

describe('telemetry drains', { timeout: 180_000 }, () => {
  it('are added for logs', async () => {
    const endpoint = 'https://otlp.example.com/v1/logs';
    expect(await h(`telemetry:add ${endpoint} --signals logs`)).toMatch(
      /successfully added drain https:\/\/otlp/,
    );
    expect(await h('telemetry')).toMatch(/otlp\.example\.com/);
    expect((await heroku.run(`telemetry:add ${endpoint} --signals traces -a shop`)).stderr).toMatch(
      /Only logs/,
    );
  });
});

describe('domains, maintenance', { timeout: 180_000 }, () => {
  it('domains are added, answer, and are removed', async () => {
    expect(await h('domains')).toMatch(/=== shop Heroku Domain\s+shop\.localhost/);
    expect(await h('domains:add www.example.com')).toMatch(/Adding www\.example\.com to shop... done/);
    expect(await h('domains')).toMatch(/www\.example\.com\s+CNAME\s+shop\.localhost/);
    expect(await h('domains:remove www.example.com')).toMatch(/Removing www\.example\.com from shop... done/);
    expect((await heroku.run('domains:add http://x/ -a shop')).stderr).toMatch(/is no host name/);
  });

  it('maintenance is switched on and off', async () => {
    expect(await h('maintenance')).toMatch(/^off$/m);
    expect(await h('maintenance:on')).toMatch(/Enabling maintenance mode for shop... done/);
    expect(await h('maintenance')).toMatch(/^on$/m);
    expect(await answer()).toMatch(/under maintenance/);
    const page = 'https://example.com/soon.html';
    await server.ask('PATCH', '/apps/shop/config-vars', { MAINTENANCE_PAGE_URL: page });
    expect(await answer('text/html')).toContain('<iframe src="https://example.com/soon.html">');
    await server.ask('PATCH', '/apps/shop/config-vars', { MAINTENANCE_PAGE_URL: null });
    expect(await h('maintenance:off')).toMatch(/Disabling maintenance mode for shop... done/);
    expect(await answer()).toMatch(/^A is/);
  });
});

describe('open, git:remote', { timeout: 180_000 }, () => {
  it('open gives the app’s address to the browser', async () => {
    const seen = join(heroku.home, 'seen');
    const browser = join(heroku.home, 'browser');
    writeFileSync(browser, `#!/bin/sh\nprintf %s "$1" >'${seen}'\n`, { mode: 0o755 });
    const own = new Heroku(server, { BROWSER: browser, DISPLAY: '' });
    expect(await own.prints('apps:open -a shop /status')).toMatch(
      /Opening http:\/\/shop\.localhost:\d+\/status/,
    );
    const address = await until('the browser', () => existsSync(seen) && readFileSync(seen, 'utf8'));
    expect(address).toBe(`${server.webUrl}status`);
    own.close();
  });

  it('git:remote names the repository, and git push works with the two lines of the docs', async () => {
    const own = new Heroku(server);
    const git = (...args: string[]) =>
      run('git', args, { cwd: own.home, env: { HOME: own.home, PATH: process.env.PATH } });
    await server.ask('POST', '/apps', { name: 'pushed' });
    writeFileSync(join(own.home, 'Procfile'), 'worker: exec sleep 1000\n');
    await git('init', '-q', '-b', 'main');
    await git('add', 'Procfile');
    await git('-c', 'user.email=a@example.com', '-c', 'user.name=A', 'commit', '-qm', 'first');
    const host = new URL(server.url.replace('127.0.0.1', 'localhost')).host;
    expect(await own.prints('git:remote -a pushed')).toContain(
      `set git remote heroku to https://${host}/pushed.git`,
    );
    await git('config', `url.http://key:${server.key}@${host}/.insteadOf`, `https://${host}/`);
    const pushed = await git('push', 'heroku', 'main');
    expect(pushed.stderr).toMatch(/remote: {8}Released v2/);
    expect(await own.prints('ps:scale worker=1:standard-2x -a pushed')).toMatch(
      /now running worker at 1:Standard-2X/,
    );
    expect(await own.prints('ps:type -a pushed')).toMatch(/worker\s+Standard-2X\s+1/);
    expect(await own.prints('labs:enable log-runtime-metrics -a pushed')).toMatch(
      /Enabling log-runtime-metrics for .*pushed... done/,
    );
    expect(await own.prints('labs -a pushed')).toMatch(/\[\+\] log-runtime-metrics/);
    await server.ask('DELETE', '/apps/pushed');
    own.close();
  });
});

describe('add-ons', { timeout: 180_000 }, () => {
  it('are none at first', async () => {
    expect(await h('addons')).toMatch(/No add-ons for app shop/);
    expect((await heroku.run('addons:create nosuch -a shop')).stderr).toMatch(
      /Couldn't find that add-on service/,
    );
  });

  it.skipIf(missing('redis-server'))('redis is created, gives a config var, and is destroyed', async () => {
    expect(await h('addons:create redis:dev')).toMatch(/Created redis-\S+ as REDIS_URL/);
    expect(await h('addons')).toMatch(/redis \(redis-\S+\)\s+local\s+free[\s\S]*as REDIS/);
    expect(await h('config')).toMatch(/REDIS_URL: redis:\/\/:\w+@127\.0\.0\.1:\d+/);
    expect(await h('addons:destroy redis --confirm shop')).toMatch(/Destroying redis-\S+ on shop... done/);
    expect(await h('config')).not.toMatch(/REDIS_URL/);
  });
});

describe('API keys', { timeout: 180_000 }, () => {
  it('are made with a scope, work, and are revoked', async () => {
    const made = await heroku.prints('authorizations:create -d reader -s read -e 600');
    const key = /Token:\s+(\S+)/.exec(made)?.[1] ?? '';
    const id = /ID:\s+(\S+)/.exec(made)?.[1] ?? '';
    const reader = new Heroku({ url: server.url, key });
    expect(await reader.prints('config:get A -a shop')).toMatch(/one/);
    const refused = await reader.run('config:set A=2 -a shop');
    expect(refused.status).not.toBe(0);
    expect(await heroku.prints(`authorizations:revoke ${id}`)).toMatch(/done/);
    expect((await reader.run('config -a shop')).status).not.toBe(0);
    reader.close();
  });
});
