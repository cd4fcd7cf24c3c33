/** A backup that lies elsewhere, fetched under the rules that drains have: not from this machine or its network, unless that is allowed. */
import { createWriteStream } from 'node:fs';
import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { reasonOf, TailraceError } from '../../../../common/errors.ts';
import { fileError } from '../../../../common/files/file-error.ts';
import type { TargetPolicy } from '../../../../logs/drains/options/target-policy.ts';

const REDIRECTS_MAX = 5;
/** Without a byte. */
const IDLE_MS = 30_000;

/** @throws TailraceError `invalid_params`: no address, or one that isn't allowed */
export async function assertDumpUrl(url: string, policy: TargetPolicy): Promise<URL> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol))
    throw new TailraceError(
      'invalid_params',
      'Name a backup (b001, or app::b001), or the https:// address of a file that pg_dump -Fc has written.',
    );
  await policy.assertAllowedHost(parsed.hostname.replace(/^\[|\]$/g, ''));
  return parsed;
}

/**
 * @param onBytes called with how many more have come
 * @throws TailraceError `unavailable` with what the other side said, `invalid_params`, `store_full`
 */
export async function fetchDump(
  url: string,
  file: string,
  policy: TargetPolicy,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const response = await follow(url, policy, signal);
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
  await pipeline(response, counter, createWriteStream(file, { mode: 0o600 }), { signal }).catch(
    (error: unknown) => {
      signal.throwIfAborted();
      const known = fileError(error);
      throw known instanceof TailraceError ? known : fetchError(url, reasonOf(error), error);
    },
  );
}

async function follow(url: string, policy: TargetPolicy, signal: AbortSignal): Promise<IncomingMessage> {
  let next = await assertDumpUrl(url, policy);
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
    const response = await request(next, policy, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw fetchError(url, reasonOf(error), error);
    });
    const { statusCode = 0, headers } = response;
    if (statusCode === 200) return response;
    response.destroy();
    if (
      statusCode < 300 ||
      statusCode >= 400 ||
      !headers.location ||
      !URL.canParse(headers.location, next.href)
    )
      throw fetchError(url, `it answered ${statusCode}`);
    next = await assertDumpUrl(new URL(headers.location, next).href, policy);
  }
  throw fetchError(url, 'it redirects too often');
}

function request(url: URL, policy: TargetPolicy, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const get = url.protocol === 'https:' ? getHttps : getHttp;
    const sent = get(url, { lookup: policy.lookup, signal, agent: false }, resolve);
    sent.setTimeout(IDLE_MS, () => sent.destroy(new Error(`it sent nothing for ${IDLE_MS / 1_000} s`)));
    sent.on('error', reject);
  });
}

/** Without what is behind the path: links to backups have their keys there. */
function fetchError(url: string, reason: string, cause?: unknown): TailraceError {
  const { origin, pathname } = new URL(url);
  return new TailraceError(
    'unavailable',
    `The backup can't be fetched from ${origin}${pathname}: ${reason}.`,
    {
      cause,
    },
  );
}
