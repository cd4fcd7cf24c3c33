/** Brings a buildpack that isn't built in onto this machine. */
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import { reasonOf } from '../../../common/errors.ts';
import { redactUrl } from '../../../logs/drains/options/drain-record.ts';
import type { TargetPolicy } from '../../../logs/drains/options/target-policy.ts';
import { BuildError } from '../steps/build-error.ts';
import type { BuildShell } from '../steps/build-shell.ts';
import { extractTar } from '../tar-extract.ts';
import type { BuildpackReference } from './buildpack-reference.ts';

const ARCHIVE_BYTES_MAX = 256 * 1_048_576;
const UNPACKED_LIMITS = { byteCountMax: 1024 ** 3, entryCountMax: 100_000 };
const REDIRECTS_MAX = 5;
const FETCH_TIMEOUT_MS = 180_000;
/** What git may use, for submodules too: what comes from elsewhere names no files of this machine. */
const GIT_PROTOCOLS = 'https:ssh';
const LOCAL_GIT_PROTOCOLS = `${GIT_PROTOCOLS}:file`;

/**
 * @param target a folder of its own, which doesn't exist yet
 * @returns the buildpack's folder
 * @throws BuildError when it can't be had, or is none
 */
export async function fetchBuildpack(
  reference: Exclude<BuildpackReference, { kind: 'built-in' }>,
  target: string,
  shell: BuildShell,
  policy: TargetPolicy,
): Promise<string> {
  const name = redactUrl(reference.id);
  let folder = target;
  if (reference.kind === 'folder') folder = reference.path;
  else if (reference.kind === 'git') await cloneRepository(reference, target, shell, policy);
  else folder = await unpackArchive(reference.url, target, shell, policy);
  if (!existsSync(join(folder, 'bin', 'compile')))
    throw new BuildError(
      existsSync(join(folder, 'buildpack.toml')) && existsSync(join(folder, 'bin', 'build'))
        ? `${name} is a Cloud Native Buildpack: only classic ones, with bin/compile, can be used.`
        : `There is no bin/compile in ${name}: that is no buildpack.`,
    );
  return folder;
}

async function cloneRepository(
  { id, url, ref }: { readonly id: string; readonly url: string; readonly ref: string },
  target: string,
  shell: BuildShell,
  policy: TargetPolicy,
): Promise<void> {
  const failed = (): never => {
    throw new BuildError(
      `The buildpack ${redactUrl(id)} can't be fetched: check its address${ref === '' ? '' : `, and that it has "${ref}"`}.`,
    );
  };
  const host = /^[\w.-]+@([\w.-]+):/.exec(url)?.[1] ?? new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
  if (host !== '') await allowHost(host, policy);
  await mkdir(target, { recursive: true, mode: 0o700 });
  const env = {
    GIT_ALLOW_PROTOCOL: url.startsWith('file:') ? LOCAL_GIT_PROTOCOLS : GIT_PROTOCOLS,
    GIT_TERMINAL_PROMPT: '0',
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes',
  };
  const slow = [
    '-c',
    'http.lowSpeedLimit=1000',
    '-c',
    'http.lowSpeedTime=30',
    '-c',
    'advice.detachedHead=false',
  ];
  const git = (...args: string[]) => shell.run('git', [...slow, ...args], { cwd: target, env });
  if ((await git('init', '--quiet')) !== 0) failed();
  let status = await git('fetch', '--quiet', '--depth', '1', '--', url, ref === '' ? 'HEAD' : ref);
  // A server may refuse to give a commit alone.
  if (status !== 0 && /^[0-9a-f]{7,64}$/.test(ref)) {
    status = await git('fetch', '--quiet', '--tags', '--', url, '+refs/heads/*:refs/remotes/origin/*');
    if (status === 0) status = await git('checkout', '--quiet', ref);
  } else if (status === 0) status = await git('checkout', '--quiet', 'FETCH_HEAD');
  if (status === 0 && existsSync(join(target, '.gitmodules')))
    status = await git('submodule', '--quiet', 'update', '--init', '--recursive', '--depth', '1');
  if (status !== 0) failed();
}

/** @returns the archive's one folder, as archives of repositories have it, or `target` */
async function unpackArchive(
  url: string,
  target: string,
  shell: BuildShell,
  policy: TargetPolicy,
): Promise<string> {
  await mkdir(target, { recursive: true, mode: 0o700 });
  const isLocal = url.startsWith('file:');
  const file = isLocal ? fileURLToPath(url) : `${target}.tgz`;
  try {
    if (!isLocal) await download(url, file, shell.signal, policy);
    await extractTar(file, target, UNPACKED_LIMITS);
  } catch (error) {
    shell.throwIfAborted();
    if (error instanceof BuildError) throw error;
    throw new BuildError(`The buildpack ${redactUrl(url)} can't be fetched (${reasonOf(error)}).`, {
      cause: error,
    });
  } finally {
    if (!isLocal) await rm(file, { force: true });
  }
  if (existsSync(join(target, 'bin'))) return target;
  const names = await readdir(target);
  return names.length === 1 ? join(target, names[0]) : target;
}

async function download(url: string, file: string, signal: AbortSignal, policy: TargetPolicy): Promise<void> {
  const agent = new Agent({ connect: { lookup: policy.lookup, timeout: 10_000 } });
  const limited = AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]);
  try {
    let address = new URL(url);
    for (let redirects = 0; ; redirects++) {
      if (address.protocol !== 'https:')
        throw new BuildError(`${redactUrl(url)} leads to an address that isn't https.`);
      await allowHost(address.hostname.replace(/^\[(.*)\]$/, '$1'), policy);
      const authorization =
        address.username === ''
          ? {}
          : {
              authorization: `Basic ${Buffer.from(`${decodeURIComponent(address.username)}:${decodeURIComponent(address.password)}`).toString('base64')}`,
            };
      const response = await request(new URL(address.pathname + address.search, address.origin), {
        dispatcher: agent,
        signal: limited,
        headers: { 'user-agent': 'tailrace', ...authorization },
      });
      const { location } = response.headers;
      if (response.statusCode >= 300 && response.statusCode < 400 && typeof location === 'string') {
        await response.body.dump();
        if (redirects === REDIRECTS_MAX) throw new BuildError(`${redactUrl(url)} redirects again and again.`);
        address = new URL(location, address);
        continue;
      }
      if (response.statusCode !== 200) {
        await response.body.dump();
        throw new Error(`the answer is ${response.statusCode}`);
      }
      await pipeline(response.body, limitedBytes(url), createWriteStream(file, { mode: 0o600 }));
      return;
    }
  } finally {
    await agent.destroy();
  }
}

function limitedBytes(url: string): Transform {
  let byteCount = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      byteCount += chunk.length;
      if (byteCount > ARCHIVE_BYTES_MAX)
        done(new BuildError(`${redactUrl(url)} has more than ${ARCHIVE_BYTES_MAX / 1_048_576} MB.`));
      else done(null, chunk);
    },
  });
}

/** @throws BuildError when the drains' policy doesn't allow a host */
async function allowHost(host: string, policy: TargetPolicy): Promise<void> {
  try {
    await policy.assertAllowedHost(host);
  } catch (error) {
    throw new BuildError(
      `A buildpack isn't fetched from ${host}, which is on this machine or in its network: set TAILRACE_ALLOW_PRIVATE_DRAINS=yes on the server if it should be.`,
      { cause: error },
    );
  }
}
