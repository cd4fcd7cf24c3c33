/** The official `heroku` command against a real `tailrace start`: dynos, logs, drains and the way to git, and what it prints. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HerokuCli } from '../../support/heroku/heroku-cli.ts';
import { HerokuCliApp } from '../../support/heroku/heroku-cli-app.ts';
import { runProgram } from '../../support/program.ts';
import { until } from '../../support/until.ts';

const shop = new HerokuCliApp(25_200);
const { run: h } = shop;

/** The processes of a dyno that is up: asked of the API, since a command takes seconds. */
async function idOf(dyno: string): Promise<string | undefined> {
  const dynos = await shop.server.request<{ name: string; id: string; state: string }[]>(
    'GET',
    '/apps/shop/dynos',
  );
  return dynos.find(({ name, state }) => name === dyno && state === 'up')?.id;
}

describe('dynos', () => {
  it('are shown and scaled, also by a difference', async () => {
    expect(await shop.heroku.runOk('ps -a shop')).toMatch(
      /=== web \(Basic\): node web\.cjs \(1\)\s+web\.1: up /,
    );
    expect(await h('ps:scale web=2 worker+1')).toMatch(
      /Scaling dynos... done, now running web at 2:Basic, worker at 2:Basic/,
    );
    expect(await h('ps:scale')).toMatch(/web=2:Basic worker=2:Basic/);
    await until('two web dynos', () => idOf('web.2'));
    expect(await idOf('web.1')).toBeDefined();
    expect(await h('ps:wait')).toBe('\n');
    expect(await h('scale worker-1')).toMatch(/worker at 1:Basic/);
    expect(await h('ps:type worker=standard-2x')).toMatch(/worker\s+Standard-2X\s+1/);
  });

  it('what can’t be is refused with Heroku’s errors', async () => {
    const scaled = (type: string, quantity: number) =>
      shop.server.request('PATCH', '/apps/shop/formation', { updates: [{ type, quantity }] });
    await expect(scaled('nosuch', 1)).rejects.toThrow(/Couldn't find that process type/);
    await expect(scaled('web', 10_000)).rejects.toThrow(/Cannot scale web to 10000/);
    expect((await shop.heroku.run('ps:scale web-50 -a shop')).stderr).toMatch(/Cannot scale web to -\d+/);
    await expect(shop.server.request('DELETE', '/apps/shop/dynos/web.77')).rejects.toThrow(
      /Couldn't find that dyno/,
    );
  });

  it('are restarted and stopped', async () => {
    const before = await until('web.1 to be up', () => idOf('web.1'));
    expect(await h('ps:restart -d web.1')).toMatch(/Restarting dyno web\.1 on shop... done/);
    await until('another web.1', async () => ![before, undefined].includes(await idOf('web.1')));
    expect(await h('ps:restart')).toMatch(/Restarting all dynos on shop... done/);
    expect(await h('ps:restart -p web')).toMatch(/Restarting all web dynos on shop... done/);
    expect(await h('ps:stop -d worker.1')).toMatch(/Stopping dyno worker\.1 on shop... done/);
    await until('worker.1 to be down', async () => (await idOf('worker.1')) === undefined);
    expect(await h('ps')).toMatch(/worker\.1: down/);
    await shop.server.request('DELETE', '/apps/shop/dynos/worker.1');
  });
});

describe('logs', () => {
  it('come by number, source and dyno', async () => {
    const lines = (await shop.heroku.run('logs -n 5 -d worker.1 -a shop')).stdout.trim().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines.every((line) => /^\S+ (app|heroku)\[worker\.1\]: /.test(line))).toBe(true);
    expect((await shop.heroku.run('logs -s heroku -n 100 -a shop')).stdout).not.toMatch(/ app\[/);
  });

  it('--tail shows lines as they come', async () => {
    const tail = shop.heroku.start('logs --tail -n 1 -a shop');
    const token = await shop.server.tokenOf('shop', 'app');
    await tail.waitForOutput(/\n/);
    await fetch(`${shop.server.url}/logs?token=${token}&dyno=hand`, {
      method: 'POST',
      headers: { authorization: `Bearer ${shop.server.key}`, 'content-type': 'text/plain' },
      body: 'said by hand\n',
    });
    await tail.waitForOutput(/app\[hand\]: said by hand/);
    await tail.stop('SIGINT');
  });
});

describe('drains', () => {
  it('are added, listed and removed', async () => {
    const url = 'https://user:pass@logs.example.com/x?y=1';
    expect(await h(`drains:add ${url}`)).toMatch(/Successfully added drain/);
    expect(await h('drains')).toMatch(/=== Drains\s+https:\/\/\S+ \(d\.[0-9a-f-]{36}\)/);
    await expect(shop.server.request('POST', '/apps/shop/log-drains', { url })).rejects.toThrow(
      /Url has already been taken/,
    );
    expect(await h(`drains:remove ${url}`)).toMatch(/Successfully removed drain/);
    expect(await shop.server.request('GET', '/apps/shop/log-drains')).toEqual([]);
  });
});

describe('telemetry drains', () => {
  it('are added for logs', async () => {
    const endpoint = 'https://otlp.example.com/v1/logs';
    expect(await h(`telemetry:add ${endpoint} --signals logs`)).toMatch(
      /successfully added drain https:\/\/otlp/,
    );
    expect(await h('telemetry')).toMatch(/otlp\.example\.com/);
    expect((await shop.heroku.run(`telemetry:add ${endpoint} --signals traces -a shop`)).stderr).toMatch(
      /Only logs/,
    );
  });
});

describe('open, git:remote', () => {
  it('open gives the app’s address to the browser', async () => {
    const seen = join(shop.heroku.home, 'seen');
    const browser = join(shop.heroku.home, 'browser');
    writeFileSync(browser, `#!/bin/sh\nprintf %s "$1" >'${seen}'\n`, { mode: 0o755 });
    const own = new HerokuCli(shop.server, { BROWSER: browser, DISPLAY: '' });
    expect(await own.runOk('apps:open -a shop /status')).toMatch(
      /Opening http:\/\/shop\.localhost:\d+\/status/,
    );
    const address = await until('the browser', () => existsSync(seen) && readFileSync(seen, 'utf8'));
    expect(address).toBe(`${shop.server.webUrl}status`);
    own.close();
  });

  it('git:remote names the repository, and git push works with the two lines of the docs', async () => {
    const own = new HerokuCli(shop.server);
    const git = (...args: string[]) =>
      runProgram('git', args, { cwd: own.home, env: { HOME: own.home, PATH: process.env.PATH } });
    await shop.server.request('POST', '/apps', { name: 'pushed' });
    writeFileSync(join(own.home, 'Procfile'), 'worker: exec sleep 1000\n');
    await git('init', '-q', '-b', 'main');
    await git('add', 'Procfile');
    await git('-c', 'user.email=a@example.com', '-c', 'user.name=A', 'commit', '-qm', 'first');
    const host = new URL(shop.server.url.replace('127.0.0.1', 'localhost')).host;
    expect(await own.runOk('git:remote -a pushed')).toContain(
      `set git remote heroku to https://${host}/pushed.git`,
    );
    await git('config', `url.http://key:${shop.server.key}@${host}/.pushInsteadOf`, `https://${host}/`);
    const pushed = await git('push', 'heroku', 'main');
    expect(pushed.stderr).toMatch(/remote: {8}Released v2/);
    // By the remote it knows the app still.
    expect(await own.runOk('ps:scale worker=1:standard-2x')).toMatch(/now running worker at 1:Standard-2X/);
    expect(await own.runOk('ps:type -a pushed')).toMatch(/worker\s+Standard-2X\s+1/);
    expect(await own.runOk('labs:enable log-runtime-metrics -a pushed')).toMatch(
      /Enabling log-runtime-metrics for .*pushed... done/,
    );
    expect(await own.runOk('labs -a pushed')).toMatch(/\[\+\] log-runtime-metrics/);
    await shop.server.request('DELETE', '/apps/pushed');
    own.close();
  });
});
