import { spawn } from 'node:child_process';

/**
 * Prints an address and opens it in a browser; where there is none, it was printed.
 * @param program the browser, such as `firefox`; left out: the default one
 */
export function openInBrowser(url: string, program?: string): void {
  process.stdout.write(`${url}\n`);
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  spawn(program ?? opener, [url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
}
