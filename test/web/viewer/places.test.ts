/** The viewer's pages beside its lines: streams, people, saved searches with alerts, archives. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { octetCounted } from '../../support/senders/send-lines.ts';
import { until } from '../../support/until.ts';
import { seriousFindings } from '../accessibility.ts';
import { launchBrowser, noBrowser, PHONE } from '../browser-tab.ts';
import { openViewer, PASSWORD, TestViewer } from './viewer-server.ts';

let browser: Browser;
let viewer: TestViewer;
let webhook: Server;
let webhookUrl: string;
const told: string[] = [];

describe.skipIf(noBrowser)('the viewer’s page', () => {
  beforeAll(async () => {
    webhook = createServer((incoming, response) => {
      let body = '';
      incoming.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      incoming.on('end', () => {
        told.push(body);
        response.end();
      });
    });
    await new Promise<void>((resolve) => webhook.listen(0, '127.0.0.1', resolve));
    webhookUrl = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/hook`;
    [browser, viewer] = await Promise.all([
      launchBrowser(),
      TestViewer.start({ VIEWER_ALLOW_PRIVATE_WEBHOOKS: 'yes' }),
    ]);
    await viewer.firstVisit(browser);
  });
  afterAll(async () => {
    await Promise.all([browser?.close(), viewer?.close()]);
    webhook?.close();
  });

  it('of streams makes groups and streams, shows where to send to, renames and removes', async () => {
    const tab = await openViewer(browser, viewer, 'page=streams');
    const { page } = tab;
    const answer = async (name: string, button: string): Promise<void> => {
      await page.getByRole('dialog').getByLabel('Name').fill(name);
      await page.getByRole('dialog').getByRole('button', { name: button }).click();
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    };
    await page.getByRole('button', { name: 'New group' }).click();
    await answer('shop', 'Make it');
    const group = page.getByRole('region', { name: 'Group shop' });
    await group.getByRole('button', { name: 'New stream' }).click();
    await answer('web', 'Make it');
    await group.getByRole('button', { name: 'Addresses of web' }).click();
    await group.locator('.detail-row').getByRole('button', { name: 'Copy: Drain' }).click();
    const url = await page.evaluate<string>('navigator.clipboard.readText()');
    const { username, password, origin, pathname } = new URL(url);
    const sent = await request(origin + pathname, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
        'content-type': 'application/logplex-1',
      },
      body: octetCounted('<190>1 2026-11-28T12:00:00Z host app web.1 - - hello'),
    });
    await sent.body.dump();
    expect(sent.statusCode).toBeLessThan(300);
    await group.getByRole('row', { name: /^web/ }).getByRole('cell', { name: '1', exact: true }).waitFor();
    await tab.screenshot('viewer-streams');
    expect(await seriousFindings(page)).toEqual([]);
    await group.getByRole('button', { name: 'Rename web' }).click();
    await answer('website', 'Rename');
    await group.getByRole('rowheader', { name: 'website' }).getByRole('button').click();
    await tab.waitForMessage('hello');
    await page.goBack();
    await group.getByRole('button', { name: 'Remove website' }).click();
    await page.getByRole('button', { name: 'Remove it' }).click();
    await group.getByText('No stream yet').waitFor();
    // A name that is taken: said where it was typed.
    await page.getByRole('button', { name: 'New group' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('shop');
    await page.getByRole('dialog').getByRole('button', { name: 'Make it' }).click();
    await page.getByRole('dialog').getByRole('alert').waitFor();
  });

  it('of people invites with a link; who may only read has nothing to change', async () => {
    const tab = await openViewer(browser, viewer, 'page=people');
    const { page } = tab;
    await page.getByRole('button', { name: 'Invite somebody' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('For').fill('zoe@example.com');
    await dialog.getByLabel('Role').selectOption('reader');
    await dialog.getByRole('button', { name: 'Make a link' }).click();
    await dialog.getByRole('button', { name: 'Copy: Link' }).click();
    const link = await page.evaluate<string>('navigator.clipboard.readText()');
    const other = await openViewer(browser, viewer, link, { storageState: undefined });
    await other.page.getByRole('heading', { name: 'You are invited' }).waitFor();
    expect(await seriousFindings(other.page)).toEqual([]);
    await other.page.getByLabel('E-mail').fill('zoe@example.com');
    await other.page.getByLabel('Password').fill(PASSWORD);
    await other.page.getByRole('button', { name: 'Join' }).click();
    await other.page.getByRole('link', { name: 'Streams' }).click();
    await other.page.getByRole('region', { name: /Group/ }).first().waitFor();
    expect(await other.page.getByRole('button', { name: /New|Remove|Rename|Addresses/ }).count()).toBe(0);
    expect(await other.page.getByRole('link', { name: 'People' }).count()).toBe(0);
    await page.keyboard.press('Escape');
    await page.getByRole('row', { name: /zoe@example\.com/ }).waitFor();
    await page.getByRole('button', { name: 'New API key' }).click();
    await dialog.getByLabel('What for').fill('dashboard');
    await dialog.getByRole('button', { name: 'Make it' }).click();
    await dialog.getByRole('button', { name: 'Copy: Key' }).click();
    const key = await page.evaluate<string>('navigator.clipboard.readText()');
    await page.keyboard.press('Escape');
    const read = await request(`${viewer.url}/api/groups`, { headers: { authorization: `Bearer ${key}` } });
    await read.body.dump();
    expect(read.statusCode).toBe(200);
    await tab.screenshot('viewer-people');
    expect(await seriousFindings(page)).toEqual([]);
    // Whoever is removed is out at once.
    await page.getByRole('button', { name: 'Remove zoe@example.com' }).click();
    await page.getByRole('button', { name: 'Remove', exact: true }).click();
    await page.getByRole('row', { name: /zoe@example\.com/ }).waitFor({ state: 'detached' });
    await other.page.reload();
    await other.page.getByRole('heading', { name: 'Sign in' }).waitFor();
  });

  it('of alerts tells a webhook what a saved search finds, and shows what was told', async () => {
    const [stream] = await viewer.createStreams('payments', 'app');
    const tab = await openViewer(browser, viewer, `group=${stream.group}&q=declined`);
    const { page } = tab;
    await tab.waitUntilLive();
    await page.getByRole('button', { name: 'Save this search' }).click();
    await page.getByLabel('Name').fill('Declined <b>payments</b>');
    await page.getByLabel('Tell me when it finds something').check();
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    const form = page.getByRole('dialog', { name: 'New alert' });
    await form.getByLabel('lines', { exact: true }).fill('2');
    await form.getByLabel('Address').fill(webhookUrl);
    await tab.screenshot('viewer-alert-form');
    expect(await seriousFindings(page)).toEqual([]);
    await form.getByRole('button', { name: 'Make it' }).click();
    const alerts = page.getByRole('region', { name: 'Alerts' });
    await alerts.getByRole('button', { name: 'Test' }).click();
    await until('the test has come', () => told.length === 1);
    await page.getByText('Test sent').waitFor();
    await viewer.send(stream, ['payment 1 accepted', 'payment 2 declined', 'payment 3 declined <img src=x>']);
    await until('it was told', () => told.length === 2);
    expect(told[1]).toContain('payment 2 declined');
    const events = page.getByRole('region', { name: 'What was told' });
    await events.getByRole('link', { name: /payment 3 declined <img/ }).waitFor();
    await tab.screenshot('viewer-alerts');
    expect(await seriousFindings(page)).toEqual([]);
    await events.getByRole('link', { name: /payment 2 declined/ }).click();
    await page.locator('.row[data-selected=true]', { hasText: 'payment 2 declined' }).waitFor();
    await tab.waitForMessage('payment 1 accepted');
    // The saved search is on its place beside the lines, and goes.
    await page.getByRole('button', { name: /^Declined/ }).click();
    await tab.waitForLineCount(2);
    // An alert that can't be made says why, and keeps what was typed.
    await page.getByRole('link', { name: 'Alerts' }).click();
    await alerts.getByRole('button', { name: /^Change/ }).click();
    const change = page.getByRole('dialog', { name: /^Alert/ });
    await change.locator('select[name=kind]').selectOption('none');
    await change.getByLabel('in minutes').fill('0.001');
    await change.getByLabel('in minutes').evaluate((field) => field.removeAttribute('min'));
    await change.getByRole('button', { name: 'Change it' }).click();
    await change.getByRole('alert').waitFor();
    await change.getByRole('button', { name: 'Cancel' }).click();
    await alerts.getByRole('button', { name: /^Remove/ }).click();
    await page.getByRole('button', { name: 'Remove it' }).click();
    await alerts.waitFor({ state: 'detached' });
    expect(tab.consoleErrors.filter((text) => !text.includes('400') && !text.includes('422'))).toEqual([]);
  });

  it('of archives imports a file of another tool, and says how long lines are kept', async () => {
    const [stream] = await viewer.createStreams('old', 'moved');
    const at = '2026-01-31T12:00:00';
    const rows = Array.from({ length: 20 }, (_, i) =>
      [1_000 + i, `${at}`, `${at}Z`, 1, 'www42', '10.0.0.1', 'User', 'Info', 'app/web.1', `moved ${i}`].join(
        '\t',
      ),
    );
    const tab = await openViewer(browser, viewer, 'page=archives');
    const { page } = tab;
    await page.getByRole('button', { name: 'Import a file' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('File').setInputFiles({
      name: '2026-01-31.tsv.gz',
      mimeType: 'application/gzip',
      buffer: gzipSync(`${rows.join('\n')}\n`),
    });
    await dialog.getByLabel('Stream').selectOption({ label: 'old: moved' });
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await dialog.getByRole('status').getByText('20 lines imported').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    await page.getByRole('button', { name: 'Change how long lines of old are kept' }).click();
    await page.getByLabel('Keep lines of old for').fill('3650d');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('row', { name: /^old/ }).getByText('3650d').waitFor();
    await tab.screenshot('viewer-archives');
    expect(await seriousFindings(page)).toEqual([]);
    await page.goto(`${viewer.url}/?stream=${stream.id}`);
    await tab.waitForMessage('moved 19');
    await tab.waitForLineCount(20);
    const phone = await openViewer(browser, viewer, 'page=archives', PHONE);
    await phone.page.getByRole('row', { name: /^old/ }).waitFor();
    await phone.screenshot('viewer-phone-archives');
    expect(await phone.page.evaluate<boolean>('document.documentElement.scrollWidth <= innerWidth')).toBe(
      true,
    );
  });

  it.each([320, 360, 640])(
    'on a screen of %i pixels no page is wider than that, whatever names are in it',
    async (width) => {
      const name = 'a-name-of-one-word-'.repeat(5).slice(0, 90);
      const [group] = await viewer.api<{ id: string }[]>('GET', '/api/groups');
      await viewer.api('POST', '/api/groups', { name: `${name}${width}` });
      await viewer.api('POST', '/api/keys', { name, scope: 'read' });
      const search = await viewer.api<{ id: string }>('POST', '/api/searches', {
        name,
        group: group.id,
        q: name,
      });
      await viewer.api('POST', '/api/alerts', {
        search: search.id,
        condition: { kind: 'at-least', count: 1, minutes: 5 },
        destinations: [{ kind: 'webhook', url: webhookUrl }],
      });
      for (const place of ['streams', 'people', 'alerts', 'archives']) {
        const { page } = await openViewer(browser, viewer, `page=${place}`, {
          ...PHONE,
          viewport: { width, height: 640 },
        });
        await page
          .getByText(place === 'people' || place === 'alerts' ? name : `${name}${width}`)
          .first()
          .waitFor();
        expect(
          await page.evaluate<number>('document.documentElement.scrollWidth'),
          place,
        ).toBeLessThanOrEqual(width);
        if (place !== 'people') continue;
        const role = await page.getByRole('combobox').first().boundingBox();
        expect((role?.x ?? width) + (role?.width ?? 0)).toBeLessThanOrEqual(width);
      }
    },
  );
});
