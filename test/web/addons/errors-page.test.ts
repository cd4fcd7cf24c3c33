/** The page of an add-on for errors in a real browser. */
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { launchBrowser, noBrowser, openAddonPage, PHONE, type Tab } from '../browser-tab.ts';

interface Errors {
  readonly id: string;
  readonly name: string;
  readonly dsn: string;
}

const frame = (fields: object): object => ({
  filename: 'shop/views.py',
  lineno: 42,
  in_app: true,
  ...fields,
});

/** What Python's SDK sends, in short. */
const checkoutError = (order: number): object => ({
  platform: 'python',
  level: 'error',
  release: 'shop@1.3',
  environment: 'production',
  transaction: '/checkout',
  server_name: 'web.1',
  user: { id: String(order % 7), email: 'ann@example.com' },
  tags: { browser: 'Firefox 145', page: 'cart' },
  request: {
    url: 'https://shop.example/checkout',
    method: 'POST',
    headers: { 'User-Agent': 'Mozilla/5.0', Cookie: 'session=secret' },
    data: { coupon: 'SUMMER' },
  },
  breadcrumbs: {
    values: [
      { timestamp: 1_764_000_000, category: 'query', message: 'SELECT * FROM orders WHERE id = 12' },
      {
        timestamp: 1_764_000_001,
        category: 'http',
        level: 'warning',
        message: 'GET /stock',
        data: { status: 503 },
      },
    ],
  },
  exception: {
    values: [
      {
        type: 'KeyError',
        value: "'address'",
        stacktrace: { frames: [frame({ function: 'address_of', lineno: 17 })] },
      },
      {
        type: 'ValueError',
        value: `order ${order} has no address`,
        mechanism: { type: 'django', handled: false },
        stacktrace: {
          frames: [
            {
              filename: 'django/core/handlers/base.py',
              function: 'get_response',
              lineno: 181,
              in_app: false,
            },
            { filename: 'django/views/generic.py', function: 'dispatch', lineno: 98, in_app: false },
            frame({
              function: 'checkout',
              pre_context: [
                'def checkout(request):',
                '    order = load(request.POST["order"])',
                '    if not order.address:',
              ],
              context_line: '        raise ValueError(f"order {order.id} has no address")',
              post_context: ['    return pay(order)', '', 'def pay(order):'],
              vars: {
                order: `<Order ${order}>`,
                request: '<WSGIRequest: POST /checkout>',
                password: 'hunter2',
              },
            }),
          ],
        },
      },
    ],
  },
});
const FEW: readonly object[] = [
  {
    level: 'warning',
    logentry: { message: 'Disk %s is nearly full', params: ['/dev/sda1'] },
    logger: 'disk',
  },
  {
    level: 'fatal',
    platform: 'node',
    exception: {
      values: [
        {
          type: 'RangeError',
          value: 'Maximum call stack size exceeded',
          stacktrace: { frames: [frame({ filename: '/app/worker.js', function: 'walk', lineno: 8 })] },
        },
      ],
    },
  },
  { level: 'info', message: 'Import finished with 3 warnings' },
];
const MARKUP = '<img src=x onerror=alert(1)><script>alert(2)</script>\u202eevil\u200b\x1b[31m';
/** Markup and hidden characters wherever a text may be. */
const hostile = (): object => {
  const map = {
    [MARKUP]: MARKUP,
    nested: { [MARKUP]: [MARKUP] },
    __proto__: null,
    link: 'javascript:alert(3)',
  };
  return {
    ...Object.fromEntries(
      ['platform', 'release', 'environment', 'transaction', 'server_name', 'logger'].map((key) => [
        key,
        MARKUP,
      ]),
    ),
    level: MARKUP,
    message: MARKUP,
    tags: { [MARKUP]: MARKUP },
    user: map,
    request: { url: 'javascript:alert(4)', ...map },
    extra: map,
    contexts: map,
    breadcrumbs: {
      values: [{ category: MARKUP, message: MARKUP, level: MARKUP, data: map, timestamp: 1e300 }],
    },
    exception: {
      values: [
        {
          type: MARKUP,
          value: `hostile ${MARKUP}`,
          module: MARKUP,
          stacktrace: {
            frames: [
              frame({
                filename: MARKUP,
                function: MARKUP,
                module: MARKUP,
                abs_path: MARKUP,
                context_line: MARKUP,
                pre_context: [MARKUP],
                vars: map,
              }),
            ],
          },
        },
      ],
    },
  };
};

let browser: Browser;
let server: Server;

async function createErrors(appName: string): Promise<Errors> {
  const app = await server.createApp(appName);
  const addon = await server.request<{ id: string; name: string }>('POST', `/apps/${app.name}/addons`, {
    plan: 'sentry',
  });
  const config = await server.request<{ SENTRY_DSN: string }>('GET', `/apps/${app.name}/config-vars`);
  return { id: addon.id, name: addon.name, dsn: config.SENTRY_DSN };
}

async function send({ dsn }: Errors, ...events: readonly object[]): Promise<void> {
  const { origin, username } = new URL(dsn);
  const body = `{}\n${events.map((event) => `{"type":"event"}\n${JSON.stringify(event)}\n`).join('')}`;
  const response = await fetch(`${origin}/api/1/envelope/?sentry_key=${username}`, { method: 'POST', body });
  expect(response.status).toBe(200);
}

const open = (errors: Errors, options?: BrowserContextOptions): Promise<Tab> =>
  openAddonPage(browser, server, errors.name, options);
const rows = (tab: Tab): Promise<string[]> => tab.page.locator('.groups .group-title').allInnerTexts();

describe.skipIf(noBrowser)('the page of errors', () => {
  let errors: Errors;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
    errors = await createErrors('shop');
    await send(errors, ...FEW, ...Array.from({ length: 30 }, (_, i) => checkoutError(i)));
  });
  afterAll(() => Promise.all([browser?.close(), server?.close()]));

  it('lists errors, and shows what one of them tells, by mouse and by keyboard', async () => {
    const tab = await open(errors);
    const { page } = tab;
    await page.locator('.groups li').nth(3).waitFor();
    expect(await rows(tab)).toEqual(
      [
        'ValueErrororder 29 has no address',
        'Import finished with 3 warnings',
        'RangeErrorMaximum call stack size exceeded',
        'Disk /dev/sda1 is nearly full',
      ].map((text) => expect.stringMatching(new RegExp(text.replace('Error', 'Error\\s*')))),
    );
    await tab.screenshot('errors-list');
    expect(await page.title()).toBe('(4) Errors');
    await page.keyboard.press('j');
    await page.locator('.exception').nth(1).waitFor();
    const text = (await page.locator('.group').textContent()) ?? '';
    for (const part of [
      'ValueError',
      'unhandled',
      'shop/views.py:42',
      'caused by KeyError',
      'raise ValueError',
      'Firefox 145',
      'GET /stock',
      'Event 30 of 30 kept',
      'shop@1.3',
      'https://shop.example/checkout',
      'ann@example.com',
    ])
      expect(text).toContain(part);
    expect(text).not.toMatch(/hunter2|session=secret/);
    // Calls of libraries come on request.
    expect(text).not.toContain('django/core/handlers/base.py');
    await page.keyboard.press('f');
    await page.getByText('django/core/handlers/base.py').waitFor();
    await page.keyboard.press('f');
    await page.keyboard.press('p');
    await page.getByText('Event 29 of 30 kept').waitFor();
    await page.getByRole('button', { name: 'Oldest' }).click();
    await page.getByText('Event 1 of 30 kept').waitFor();
    expect(await page.getByRole('button', { name: 'Older' }).isDisabled()).toBe(true);
    await page.keyboard.press('n');
    await page.getByText('Event 2 of 30 kept').waitFor();
    await tab.screenshot('errors-event');
    await page.getByText('JSON', { exact: true }).click();
    expect(await page.locator('.raw pre').textContent()).toContain('"release": "shop@1.3"');
    // An address for one error; back goes to where one was.
    expect(page.url()).toMatch(/#[0-9a-f]{32}$/);
    await page.keyboard.press('Escape');
    await until('the list alone', async () => (await page.locator('.group').count()) === 0);
    expect(tab.consoleErrors).toEqual([]);
    expect(tab.foreignRequests).toEqual([]);
  });

  it('searches, sorts and filters', async () => {
    const tab = await open(errors);
    const { page } = tab;
    await page.locator('.groups li').nth(3).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('worker.js range');
    await until('one row', async () => (await rows(tab)).length === 1);
    await page.locator('#search').fill('nothing like it');
    await page.getByText('No error matches').waitFor();
    await page.getByRole('button', { name: 'Show all errors' }).click();
    await until('all rows', async () => (await rows(tab)).length === 4);
    await page.getByLabel('Order').selectOption('count');
    await until('the order', async () => /ValueError/.test((await rows(tab))[0]));
    expect(tab.consoleErrors).toEqual([]);
  });

  it('changes by itself: new errors, more events, what others resolve', async () => {
    const own = await createErrors('live');
    const tab = await open(own);
    const { page } = tab;
    await page.getByText('No errors yet').waitFor();
    await page.locator('.state[data-state=live]').waitFor();
    await send(own, { message: 'first' });
    await page.locator('.groups li', { hasText: 'first' }).waitFor();
    await page.locator('.groups li').click();
    await page.getByText('Event 1 of 1 kept').waitFor();
    await send(own, { message: 'first' }, { message: 'second' });
    await page.getByText('Event 1 of 2 kept').waitFor();
    await page.locator('.groups li', { hasText: 'second' }).waitFor();

    await page.keyboard.press('r');
    await page.locator('.group .status-badge', { hasText: 'resolved' }).waitFor();
    await until('one unresolved', async () => (await rows(tab)).join() === 'second');
    await send(own, { message: 'first' });
    await page.locator('.group .status-badge', { hasText: 'came back' }).waitFor();
    await page.keyboard.press('i');
    await page.locator('.group .status-badge', { hasText: 'ignored' }).waitFor();
    await page.getByRole('button', { name: 'Not ignored' }).click();
    await until('both', async () => (await rows(tab)).length === 2);

    // It is asked for while it is deleted, and no more after that.
    const asked: string[] = [];
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route('**/api/groups/*', async (route) => {
      const request = route.request();
      if (new URL(request.url()).search) return route.continue();
      asked.push(request.method());
      if (request.method() === 'GET') await released;
      await route.continue();
    });
    await send(own, { message: 'first' });
    await until('it to be asked for', () => asked.length > 0);
    await page.keyboard.press('d');
    await page.locator('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.evaluate('new Promise(requestAnimationFrame)');
    expect(asked).not.toContain('DELETE');
    release();
    await until('the other one alone', async () => (await rows(tab)).join() === 'second');
    expect(tab.consoleErrors).toEqual([]);
  });

  it('shows an event as text alone, whatever is in it', async () => {
    const own = await createErrors('hostile');
    await send(own, hostile());
    const tab = await open(own);
    const { page } = tab;
    await page.locator('.groups li').click();
    await page.locator('.frame').first().waitFor();
    await page.getByText('JSON', { exact: true }).click();
    await page.locator('.raw pre').waitFor();
    const html = await page.evaluate<string>('document.documentElement.outerHTML');
    expect(html).toContain('hostile &lt;img src=x onerror=alert(1)&gt;&lt;script&gt;');
    expect(html).not.toMatch(/[\u202e\u200b\x1b]/);
    expect(html).toContain('&lt;U+202E&gt;evil&lt;U+200B&gt;␛[31m');
    const markup = 'img, iframe, a[href], #page script, [onerror], [style]';
    expect(await page.locator(markup).count()).toBe(0);
    await tab.screenshot('errors-hostile');
    expect(tab.consoleErrors).toEqual([]);
    expect(tab.foreignRequests).toEqual([]);
  });

  it.each<[string, BrowserContextOptions]>([
    ['dark', { colorScheme: 'dark' }],
    ['light', { colorScheme: 'light' }],
    ['phone', { ...PHONE, colorScheme: 'dark' }],
  ])('fits its window: %s', async (name, options) => {
    const tab = await open(errors, options);
    const { page } = tab;
    await page.locator('.groups li').nth(3).waitFor();
    const fits = (): Promise<boolean> =>
      page.evaluate(
        'document.documentElement.scrollWidth <= innerWidth && [".groups", ".group"].every((one) => { const box = document.querySelector(one); return !box || box.scrollWidth <= box.clientWidth; })',
      );
    await tab.screenshot(`errors-list-${name}`);
    expect(await fits()).toBe(true);
    await page.locator('.groups li', { hasText: 'ValueError' }).click();
    await page.locator('.source').waitFor();
    await tab.screenshot(`errors-group-${name}`);
    expect(await fits()).toBe(true);
    if (name === 'phone') {
      await page.getByRole('button', { name: 'Back to the list' }).click();
      await page.locator('.groups li').first().waitFor();
    }
    expect(tab.consoleErrors).toEqual([]);
  });
});
