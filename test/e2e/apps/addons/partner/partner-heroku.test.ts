/** A partner's service with the official `heroku` command and a real browser, and with our own commands. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HerokuCliApp } from '../../../../support/heroku/heroku-cli-app.ts';
import { PartnerService } from '../../../../support/partner-service.ts';
import { runTailrace } from '../../../../support/program.ts';
import { until } from '../../../../support/until.ts';
import { launchBrowser, noBrowser } from '../../../../web/browser-tab.ts';

const shop = new HerokuCliApp(25_600);
const { run: h } = shop;
const folder = mkdtempSync(join(tmpdir(), 'tailrace-manifest-'));
const file = join(folder, 'addon-manifest.json');
let partner: PartnerService;

const tailrace = async (...args: string[]) => {
  const { status, stdout, stderr } = await runTailrace(args, { env: shop.server.env });
  return `${status} ${stdout}${stderr}`;
};
const uuidOf = async (name: string) =>
  (await shop.server.request<{ id: string }>('GET', `/addons/${name}`)).id;

beforeAll(async () => {
  partner = await new PartnerService('errorbucket').listen();
  writeFileSync(file, JSON.stringify({ ...partner.manifest, plans: ['basic', 'premium'] }));
});
afterAll(async () => {
  await partner.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a partner’s service', () => {
  it('is registered, listed and shown by our own commands', async () => {
    expect(await tailrace('addons:manifests')).toMatch(
      /^0 No partners are registered: tailrace addons:register/,
    );
    expect(await tailrace('addons:register', join(folder, 'nothing.json'))).toMatch(
      /^1 .*nothing\.json can't be read \(ENOENT\): name the/,
    );
    writeFileSync(join(folder, 'bad.json'), '{"id": ');
    expect(await tailrace('addons:register', join(folder, 'bad.json'))).toMatch(/^1 .*bad\.json is no JSON/);
    expect(await tailrace('addons:register', file, '--test')).toMatch(
      /^1 .*api\.test is missing.* without --test/,
    );
    const registered = await tailrace('addons:register', file);
    expect(registered).toMatch(
      /^0 Registered errorbucket at http:.*\n.*client secret: [0-9a-f]{64}\n.*addons:create errorbucket/,
    );
    partner.clientSecret = /[0-9a-f]{64}/.exec(registered)?.[0] ?? '';
    expect(await tailrace('addons:manifests')).toMatch(/^0 errorbucket +The errorbucket +http:.* production/);
    expect(await tailrace('addons:manifests', 'errorbucket')).toContain(partner.clientSecret);
    expect(await tailrace('addons:services')).toMatch(
      /errorbucket .*The errorbucket, a partner's service at 127/,
    );
  });

  it('is used with the official command: at once, in the background, changed, opened, destroyed', async () => {
    expect(await shop.heroku.runOk('addons:services')).toMatch(/errorbucket\s+The errorbucket\s+ga/);
    expect(await shop.heroku.runOk('addons:plans errorbucket')).toMatch(
      /default\s+errorbucket:basic[\s\S]*errorbucket:premium/,
    );
    expect(
      await shop.heroku.runOk('addons:create errorbucket -a shop --name quick-errors -- --level high'),
    ).toMatch(/Your errorbucket is there\.\nCreated quick-errors as ERRORBUCKET_URL/);
    expect(partner.resource(await uuidOf('quick-errors')).options).toEqual({ level: 'high' });
    expect(await h('addons:info quick-errors')).toMatch(/Plan:\s+errorbucket:basic[\s\S]*State:\s+created/);
    expect(await h('addons:upgrade quick-errors errorbucket:premium')).toMatch(
      /to errorbucket:premium\.\.\. done/,
    );
    const refused = await shop.heroku.run('addons:create errorbucket:nosuch -a shop');
    expect(refused.stderr).toMatch(/Couldn't find either/);

    partner.answer = ({ method }) => (method === 'POST' ? 'pending' : 'provide');
    expect(await h('addons:create errorbucket --as SLOW --name slow-errors')).toMatch(
      /being made\.[\s\S]*slow-errors is being created in the background/,
    );
    expect(await h('addons')).toMatch(/slow-errors\)[\s\S]*creating/);
    const waiting = shop.heroku.start('addons:wait slow-errors --wait-interval 1 -a shop');
    await until('that it waits', () => waiting.stderr.includes('Creating slow-errors'));
    await partner.finish(await uuidOf('slow-errors'));
    const waited = await waiting.exited;
    expect([waited.status, waited.stdout]).toEqual([
      0,
      expect.stringMatching(/Created slow-errors as SLOW_URL/),
    ]);
    partner.answer = () => 'provide';

    partner.answer = () => ({ status: 422, text: '{"message":"Buckets are sold out."}' });
    const soldOut = await shop.heroku.run('addons:create errorbucket -a shop');
    expect(soldOut.stderr).toMatch(/Buckets are sold out\./);
    partner.answer = () => ({ status: 503, text: '' });
    const destroyed = await h('addons:destroy slow-errors --confirm shop');
    expect(destroyed).toMatch(/slow-errors is being destroyed in the background/);
    partner.answer = () => 'provide';
    expect(await h('addons:destroy quick-errors --confirm shop')).toMatch(
      /Destroying quick-errors on shop\.\.\. done/,
    );
    await until(
      'the end of the other',
      async () => (await shop.server.request<object[]>('GET', '/addons')).length === 0,
    );
    expect(partner.resources.size).toBe(0);
    expect(partner.faults).toEqual([]);
  });

  it.skipIf(noBrowser)('signs a user on in a browser, which posts a form by itself', async () => {
    await h('addons:create errorbucket --name opened-errors');
    const id = await uuidOf('opened-errors');
    const link = (await h('addons:open opened-errors --show-url')).match(/http:\S+/)?.[0] ?? '';
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      await page.goto(link);
      await page.waitForURL(`http://127.0.0.1:${partner.port}/sso/login`);
      expect(await page.textContent('body')).toBe('welcome');
      expect(complaints).toEqual([]);
      await page.goto(link);
      expect(await page.textContent('body')).toMatch(/was used already/);
    } finally {
      await browser.close();
    }
    expect(partner.signOns.at(-1)).toMatchObject({ resource_id: id, app: 'shop' });
    await h('addons:destroy opened-errors --confirm shop');
    expect(await tailrace('addons:unregister', 'errorbucket')).toBe('0 Unregistered errorbucket\n');
  });
});
