import { setTimeout as delay } from 'node:timers/promises';
import { TailraceError } from '../../common/errors.ts';
import { sendClientRequest } from '../../common/http/client/client-request.ts';
import { type ApiClient, errorFromResponse } from '../api-client.ts';
import { printText } from '../format.ts';

/** A release as the API shows it, as far as these commands need it. */
export interface FollowedRelease {
  readonly id: string;
  readonly version: number;
  readonly status: string;
  readonly description: string;
  readonly slug: { readonly id: string } | null;
  readonly output_stream_url: string | null;
}

/** How often it is looked for the release that is being made. */
const LOOK_MS = 200;

/**
 * Makes a release, and prints what its release command says while it runs.
 * @param path of the app's releases, under its id: it may be renamed meanwhile
 * @throws TailraceError when that fails
 */
export async function releaseAndFollow(
  client: ApiClient,
  path: string,
  body: { readonly slug: string; readonly description: string },
): Promise<FollowedRelease> {
  const before = await latestRelease(client, path);
  let isMade = false;
  const made = client.request<FollowedRelease>('POST', path, body).finally(() => {
    isMade = true;
  });
  made.catch(() => {}); // it is awaited below
  for (;;) {
    const latest = await latestRelease(client, path);
    if (latest.version > before.version && latest.output_stream_url) {
      printText('Running release command...');
      await streamOutput(client, latest.output_stream_url);
      break;
    }
    if (isMade) break;
    await delay(LOOK_MS);
  }
  return made;
}

/** The newest release, whatever became of it. */
export async function latestRelease(client: ApiClient, path: string): Promise<FollowedRelease> {
  const all = await client.request<FollowedRelease[]>('GET', path);
  return all.reduce((latest, one) => (one.version > latest.version ? one : latest));
}

/**
 * Prints what a build or a release command says, until its end.
 * @param url as the server gave it: its path counts, on the server that we talk to
 * @throws TailraceError when it can't be read
 */
export async function streamOutput(client: ApiClient, url: string): Promise<void> {
  const { pathname, search } = new URL(url);
  const { key, url: server } = client.address;
  const headers = { authorization: `Bearer ${key}` };
  try {
    await client.whileItAnswers(async (signal) => {
      const response = await sendClientRequest(server + pathname + search, { headers, pauseMs: 0, signal });
      if (response.statusCode >= 400)
        throw errorFromResponse(response.statusCode, await response.body.text());
      for await (const chunk of response.body) process.stdout.write(chunk);
    });
  } catch (error) {
    if (error instanceof TailraceError) throw error;
    throw new TailraceError('unavailable', `The output broke off (${error}): ask for it again.`, {
      cause: error,
    });
  }
}
