import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { TailraceError } from '../../common/errors.ts';
import { ApiClient } from '../api-client.ts';
import { openInBrowser } from '../browser.ts';
import { printText } from '../format.ts';
import type { AuthorizationView } from '../server/authorizations.ts';
import { saveLogin } from './credentials.ts';

interface BegunLogin {
  readonly browser_url: string;
  readonly cli_url: string;
  readonly token: string;
  readonly code: string;
}

/** Proxies end requests that take long. */
const RETRY_MS = 1_000;
const WAIT_MS = 10 * 60_000;

/** Logs in with a link that somebody who is signed in opens, in whatever browser, and allows. */
export async function logInWithBrowser(url: string, program?: string): Promise<void> {
  const begun = await new ApiClient({ url, key: '' }).request<BegunLogin>('POST', '/auth', {
    description: `tailrace login from ${hostname()}`.slice(0, 200),
  });
  process.stderr.write(`Open this in a browser, and allow the login that shows ${begun.code}:\n`);
  openInBrowser(url + begun.browser_url, program);
  const key = await waitForKey(url, begun);
  const client = new ApiClient({ url, key });
  const { email } = await client.request<{ email: string }>('GET', '/account');
  const keys = await client.request<AuthorizationView[]>('GET', '/oauth/authorizations');
  const id = keys.find(({ current }) => current)?.id;
  if (id === undefined)
    throw new TailraceError('unauthorized', 'The key of this login was revoked just now.');
  saveLogin({ url, key, id, email });
  printText(`Logged in to ${url} as ${email}`);
}

async function waitForKey(url: string, { cli_url: path, token }: BegunLogin): Promise<string> {
  const client = new ApiClient({ url, key: token });
  for (const endMs = performance.now() + WAIT_MS; performance.now() < endMs; await sleep(RETRY_MS)) {
    const answer = await client
      .request<{ access_token?: string; error?: string }>('GET', path)
      .catch((error: unknown) => {
        // The answer may still come.
        if (error instanceof TailraceError && error.code === 'unavailable') return undefined;
        throw error;
      });
    if (answer?.error !== undefined) throw new TailraceError('unauthorized', answer.error);
    if (answer?.access_token !== undefined) return answer.access_token;
  }
  throw new TailraceError('unauthorized', 'Nobody confirmed the login in time: begin another one.');
}
