import { spawn } from 'node:child_process';

/** Prints an address and opens it in a browser; where there is none, it was printed. */
export function openInBrowser(url: string): void {
  process.stdout.write(`${url}\n`);
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  spawn(opener, [url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
}
