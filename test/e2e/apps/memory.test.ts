/** Memory of dynos: measured over all of their processes, logged above the quota (R14), killed above twice the quota (R15), of release commands too. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GitRepository } from '../../support/git-repository.ts';
import { runTailrace } from '../../support/program.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const APP = 'eaters';
/** Allocates so many MB, in a process that is not the dyno's first. */
const eat = (mb: number) =>
  `node -e "b = Buffer.alloc(${mb} << 20, 1); console.log('full'); setInterval(() => b[0], 1e6)" & wait`;
let server: Server;

beforeAll(async () => {
  // A Node.js process that does nothing uses 15 to 40 MB: the more of them there are, the more they share.
  server = await startServer({ env: { TAILRACE_DYNO_MEMORY: '100MB', TAILRACE_DYNO_SAMPLE: '1s' } });
});
afterAll(() => server?.close());

const t = (...args: string[]) => runTailrace([...args, '-a', APP], { env: server.env });
const lines = () => server.readLines({ id: '', name: APP, token: '' });
/** The first such line; `from` is the source and dyno. On a machine that is busy, samples come late. */
const first = (from: string, pattern: RegExp, after: number) =>
  until(
    `${pattern} of ${from}`,
    async () =>
      (await lines())
        .slice(after)
        .filter((line) => line.includes(`${from}: `) && pattern.test(line))
        .at(0),
    90_000,
  );
const said = (dyno: string, pattern: RegExp, after = 0) => first(`heroku[${dyno}]`, pattern, after);

describe('a dyno', { timeout: 240_000 }, () => {
  it('that uses more than its size allows logs R14, until it gets a larger size', async () => {
    const repository = new GitRepository(server, {
      Procfile: `small: exec sleep 1000\nbig: ${eat(130)}\nhuge: setsid ${eat(230)}\n`,
    });
    await repository.tailrace('create', APP);
    expect((await repository.tailrace('push')).stdout).toMatch(/Released v2/);
    await t('scale', 'big=1', 'small=1');
    // Until then it grows, and the first sample after it may have been measured before.
    const full = await first('app[big.1]', /full$/, 0);
    const early = await said('big.1', /Process running mem=/, (await lines()).indexOf(full) + 1);
    const line = await said('big.1', /Process running mem=/, (await lines()).indexOf(early) + 1);
    const [, megabytes, percent] = /mem=(\d+)M\((\d+\.\d)%\)$/.exec(line) ?? [];
    expect(Number(megabytes)).toBeGreaterThan(130);
    expect(Number(megabytes)).toBeLessThan(200);
    expect(Math.abs(Number(percent) - Number(megabytes))).toBeLessThan(1);
    await said('big.1', /Error R14 \(Memory quota exceeded\)$/);
    expect(await t('scale', 'big=1:standard-2x')).toMatchObject({
      status: 0,
      stdout: 'Scaling dynos... done, now running big=1:Standard-2X\n',
    });
    const dynos = await server.request<{ name: string; size: string; state: string }[]>(
      'GET',
      `/apps/${APP}/dynos`,
    );
    expect(dynos.map(({ name, size, state }) => [name, size, state])).toEqual([
      ['big.1', 'Standard-2X', 'up'],
      ['small.1', 'Basic', 'up'],
    ]);
    expect((await t('labs:enable', 'log-runtime-metrics')).stdout).toMatch(/Enabling log-runtime-metrics/);
    // After two more samples nothing has been logged about it.
    const from = (await lines()).length;
    const sample = await said('big.1', /sample#memory_quota=200\.00MB/, from);
    await said('big.1', /sample#memory/, (await lines()).indexOf(sample) + 1);
    expect((await lines()).slice(from).filter((one) => /R14|R15/.test(one))).toEqual([]);
  });

  it('logs samples only for apps that enabled them', async () => {
    await said('small.1', /sample#memory/);
    const all = await lines();
    const on = all.findIndex((line) => /Enable log-runtime-metrics feature/.test(line));
    expect(all.slice(0, on).join('\n')).not.toMatch(/sample#/);
    expect(await said('small.1', /sample#memory/)).toMatch(
      /heroku\[small\.1\]: source=small\.1 dyno=heroku\.[\da-f-]{36} sample#memory_total=\d+\.\d\dMB sample#memory_rss=\d+\.\d\dMB sample#memory_cache=\d+\.\d\dMB sample#memory_swap=0\.00MB sample#memory_quota=100\.00MB$/,
    );
    await t('labs:disable', 'log-runtime-metrics');
    expect((await t('labs:enable', 'rockets')).stderr).toMatch(/Couldn't find that feature/);
  });

  it('of a release command, too, is ended: its release fails', async () => {
    const repository = new GitRepository(server, { Procfile: `release: ${eat(230)}\n` });
    await repository.tailrace('create', 'migrations');
    await repository.push();
    const all = await until('its end', async () => {
      const messages = await server.readMessages({ id: '', name: 'migrations', token: '' }, 'source=heroku');
      return messages.includes('Process exited with status 137') && messages;
    });
    expect(all).toContain('Error R15 (Memory quota vastly exceeded)');
    const releases = await server.request<{ status: string }[]>('GET', '/apps/migrations/releases');
    expect(releases.map(({ status }) => status)).toEqual(['succeeded', 'failed']);
  });

  it('that uses twice as much logs R15, is killed and restarted, also when what uses it has left its group', async () => {
    const from = (await lines()).length;
    await t('scale', 'huge=1');
    await said('huge.1', /Error R15 \(Memory quota vastly exceeded\)$/, from);
    await said('huge.1', /State changed from up to crashed$/, from);
    const own = (await lines()).slice(from).filter((line) => line.includes('heroku[huge.1]'));
    const messages = own.map((line) => line.slice(line.indexOf(']: ') + 3));
    const at = messages.indexOf('Error R15 (Memory quota vastly exceeded)');
    expect(messages.slice(at - 1, at + 5)).toEqual([
      expect.stringMatching(/^Process running mem=\d+M\(2\d\d\.\d%\)$/),
      'Error R15 (Memory quota vastly exceeded)',
      'Stopping process with SIGKILL',
      'Stopping remaining processes with SIGKILL',
      'Process exited with status 137',
      'State changed from up to crashed',
    ]);
    await said('huge.1', /State changed from crashed to starting$/, from);
    await t('scale', 'huge=0');
  });

  it('can’t have an unknown size', async () => {
    expect((await t('scale', 'big=1:gigantic')).stderr).toMatch(
      /No such size as gigantic\. Available sizes are Basic, Eco, /,
    );
  });
});
