/**
 * Makes the pictures of the README, of the real program: the example app runs, requests come, and a browser looks. `npm run pictures`,
 * with chromium-headless-shell or chromium installed.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const images = join(root, 'docs', 'images');
const SIZE = { width: 1200, height: 620 };
const TERMINAL_LINES = 26;
/** Requests to the example app, some of which it can't answer. */
const PATHS = ['/', '/about', '/', '/missing', '/', '/about', '/error', '/'];
const ROUNDS = 12;

const folder = mkdtempSync(join(tmpdir(), 'tailrace-pictures-'));
const app = join(folder, 'counter');
cpSync(join(root, 'examples', 'counter'), app, {
  recursive: true,
  filter: (path) => !path.includes('.tailrace'),
});
const command = join(root, 'bin', 'tailrace');
const env = {
  ...process.env,
  TAILRACE_HTTP_PORT: '0',
  TAILRACE_SYSLOG_PORT: '0',
  TAILRACE_ROUTER_PORT: '0',
};
const server = spawn(command, ['start'], { cwd: app, env, stdio: ['ignore', 'pipe', 'inherit'] });
let output = '';
server.stdout.on('data', (chunk) => {
  output += chunk;
});
const browser = await chromium.launch({ executablePath: findBrowser(), args: ['--no-sandbox'] });
try {
  const [, appUrl] = await printed(/app +(http:\S+)/);
  const [, url] = await printed(/API +(http:\S+)/);
  await printed(/web\.1\]: State changed from starting to up/);
  const key = readFileSync(join(app, '.tailrace', 'key'), 'utf8').trim();
  const { host, port } = new URL(appUrl);
  for (let i = 0; i < ROUNDS; i++)
    for (const path of PATHS)
      await fetch(`http://127.0.0.1:${port}${path}`, { headers: { host } }).catch(() => {});
  mkdirSync(images, { recursive: true });
  await takePage(`${url}/?app=counter#key=${encodeURIComponent(key)}`);
  await takeTerminal();
} finally {
  await browser.close();
  server.kill('SIGINT');
  await new Promise((resolve) => server.once('exit', resolve));
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

async function takePage(address) {
  const page = await browser.newPage({ viewport: SIZE, colorScheme: 'light' });
  await page.goto(address);
  await page.locator('.line').nth(10).waitFor();
  // The histogram counts what has come.
  await page.waitForTimeout(1_500);
  await page.screenshot({ path: join(images, 'page.png') });
  await page.close();
}

/** The last lines as `tailrace logs` prints them on a terminal. */
async function takeTerminal() {
  const lines = execFileSync(command, ['logs', '-n', String(TERMINAL_LINES), '--time', 'short'], {
    cwd: app,
    env: { ...process.env, FORCE_COLOR: '1' },
    encoding: 'utf8',
  });
  const text = `\x1b[2m$\x1b[0m tailrace logs --follow --time short\n${lines.trimEnd()}`;
  const page = await browser.newPage({ viewport: { ...SIZE, height: 480 } });
  await page.setContent(`<style>
    body { margin: 0; background: #11181c; color: #d7dfe2; }
    pre { margin: 14px 18px; font: 13px/17px "DejaVu Sans Mono", monospace; overflow: hidden; }
    pre div { white-space: pre; overflow: hidden; text-overflow: ellipsis; }
  </style><pre>${text
    .split('\n')
    .map((line) => `<div>${toHtml(line)}</div>`)
    .join('')}</pre>`);
  await page.screenshot({ path: join(images, 'terminal.png') });
  await page.close();
}

/** Colors (SGR, ECMA-48 section 8.3.117) as spans. */
function toHtml(line) {
  const COLORS = {
    31: '#ff7b72',
    32: '#7ee787',
    33: '#e3b341',
    34: '#79c0ff',
    35: '#d2a8ff',
    36: '#56d4dd',
    92: '#a5f3b0',
    93: '#f2d16b',
    94: '#a5d6ff',
    95: '#e2c5ff',
    96: '#9eeaf0',
  };
  let open = 0;
  const html = line
    .split(/(\x1b\[[\d;]*m)/)
    .map((piece) => {
      const code = /^\x1b\[([\d;]*)m$/.exec(piece)?.[1];
      if (code === undefined) return piece.replace(/[&<>]/g, (found) => `&#${found.charCodeAt(0)};`);
      if (code === '' || code === '0') {
        const close = '</span>'.repeat(open);
        open = 0;
        return close;
      }
      open++;
      return `<span style="${code === '2' ? 'opacity: 0.6' : `color: ${COLORS[code] ?? 'inherit'}`}">`;
    })
    .join('');
  return html + '</span>'.repeat(open);
}

async function printed(pattern) {
  for (let tries = 0; tries < 300; tries++) {
    const found = pattern.exec(output);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`tailrace did not print ${pattern}: ${output}`);
}

function findBrowser() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const files = ['chromium-headless-shell', 'chromium'].flatMap((name) =>
    folders.map((path) => join(path, name)),
  );
  const found = files.find((file) => existsSync(file));
  if (!found) throw new Error('No browser: install chromium-headless-shell or chromium.');
  return found;
}
