/** A real Chromium, and what the tests read from the live page. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import { missing } from '../support/program.ts';
import type { App, Server } from '../support/server.ts';
import { until } from '../support/until.ts';

const SCREENSHOTS = join(import.meta.dirname, '.screenshots');
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A new tab in three quarters of the processor time: no process is started for a next one that nobody opens, and none for drawing and the
  // network. (The last `--disable-features` counts: what Playwright switches off and a test would notice is in it, too.)
  '--disable-features=SpareRendererForSitePerProcess,AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,MediaRouter,NetworkTimeServiceQuerying,OptimizationHints,PaintHolding,PreconnectToSearch,ThirdPartyStoragePartitioning',
  '--enable-features=CDPScreenshotNewSurface,NetworkServiceInProcess2',
  '--in-process-gpu',
];

export const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};

/** Chromium without windows opens a page in a third of the processor time. */
const HEADLESS_SHELL = 'chromium-headless-shell';
const executablePath = find(HEADLESS_SHELL) ?? find('chromium');

/** There is no browser here: its tests are skipped (never with CI=true). */
export const noBrowser = executablePath === undefined && missing(HEADLESS_SHELL);

/** Starts a browser with a new, empty profile; close it. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath, args: FLAGS });
}

function find(program: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, program)).find((file) => existsSync(file));
}

/** One tab with the live page, and everything that went wrong in it. */
export class Tab {
  readonly page: Page;
  /** Errors, and violations of the Content-Security-Policy, as the console has them. */
  readonly consoleErrors: string[] = [];
  /** Requests to other servers. */
  readonly foreignRequests: string[] = [];

  constructor(page: Page, server: Pick<Server, 'url'>) {
    this.page = page;
    page.setDefaultTimeout(60_000);
    page.on('pageerror', (error) => this.consoleErrors.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.consoleErrors.push(message.text());
    });
    page.on('dialog', (dialog) => {
      this.consoleErrors.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(server.url)) this.foreignRequests.push(request.url());
    });
  }

  /** Messages of the rows that exist, which are those around the visible ones. */
  messages(): Promise<string[]> {
    return this.page.locator('.line > .text').allInnerTexts();
  }

  async waitForMessage(text: string): Promise<void> {
    await this.page.locator('.line > .text', { hasText: text }).first().waitFor();
  }

  /** How many lines the page says that it holds. */
  async lineCount(): Promise<number> {
    const text = await this.page.locator('.footer').textContent();
    return Number(/([\d,]+) lines? here/.exec(text ?? '')?.[1].replaceAll(',', '') ?? Number.NaN);
  }

  /** Waits for as long as more of them come: 100,000 take a slow machine a minute. */
  async waitForLineCount(count: number): Promise<void> {
    let seen = await this.lineCount();
    while (seen !== count) {
      const before = seen;
      await until(`${count} lines in the page, which holds ${before}`, async () => {
        seen = await this.lineCount();
        return !Object.is(seen, before);
      });
    }
  }

  async waitUntilLive(): Promise<void> {
    await this.page.locator('.state[data-state=live]').waitFor();
  }

  /** Scrolls through all lines that the page holds, from the top, and gives their positions. */
  async allPositions(): Promise<number[]> {
    const found = new Set<number>();
    await this.scrollTo(0);
    for (;;) {
      const seen = await this.page.evaluate<{ at: number[]; atEnd: boolean }>(`(async () => {
        const box = document.querySelector('.lines');
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
        const at = [...document.querySelectorAll('.row')].map((row) => Number(row.dataset.at));
        const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 2;
        if (!atEnd) box.scrollTop += box.clientHeight + 400; // rows beyond the visible ones exist too
        return { at, atEnd };
      })()`);
      for (const at of seen.at) found.add(at);
      if (seen.atEnd) return [...found].sort((a, b) => a - b);
    }
  }

  scrollTo(top: number): Promise<void> {
    return this.page.evaluate(`document.querySelector('.lines').scrollTop = ${top}`);
  }

  scrollTop(): Promise<number> {
    return this.page.evaluate(`document.querySelector('.lines').scrollTop`);
  }

  /** Is the list at its end? */
  isAtEnd(): Promise<boolean> {
    return this.page.evaluate(`(() => {
      const box = document.querySelector('.lines');
      return box.scrollTop + box.clientHeight >= box.scrollHeight - 2;
    })()`);
  }

  /** For whoever looks at the page, with `SCREENSHOTS=1`: they cost as much as a test. */
  async screenshot(name: string): Promise<void> {
    if (!process.env.SCREENSHOTS) return;
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
  }
}

export interface OpenOptions extends BrowserContextOptions {
  /** What is behind the `?`. */
  readonly query?: string;
  /** Default: the server's; '' for none. */
  readonly key?: string;
}

/** Opens the page in a new context (its own storage), for one test. */
export async function openPage(browser: Browser, server: Server, options: OpenOptions = {}): Promise<Tab> {
  const { query = '', key = server.key, ...context } = options;
  const own = await browser.newContext({
    viewport: { width: 1360, height: 820 },
    permissions: ['clipboard-read', 'clipboard-write'],
    ...context,
  });
  onTestFinished(() => own.close());
  const tab = new Tab(await own.newPage(), server);
  await tab.page.goto(`${server.url}/${query && `?${query}`}${key && `#key=${key}`}`);
  return tab;
}

/** The same, with an app's lines, when they are live. */
export async function openApp(
  browser: Browser,
  server: Server,
  app: App,
  options: OpenOptions = {},
): Promise<Tab> {
  const query = `app=${app.name}${options.query ? `&${options.query}` : ''}`;
  const tab = await openPage(browser, server, { ...options, query });
  await tab.waitUntilLive();
  return tab;
}

/** Opens the page of an add-on with a link of its own, in a new context. */
export async function openAddonPage(
  browser: Browser,
  server: Server,
  addon: string,
  options: BrowserContextOptions = {},
): Promise<Tab> {
  const { web_url: link } = await server.request<{ web_url: string }>('GET', `/addons/${addon}`);
  const own = await browser.newContext({ viewport: { width: 1360, height: 820 }, ...options });
  onTestFinished(() => own.close());
  const tab = new Tab(await own.newPage(), server);
  await tab.page.goto(server.url + new URL(link).pathname);
  return tab;
}
