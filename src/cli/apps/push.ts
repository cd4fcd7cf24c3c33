import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { findExternalLink } from '../../apps/build/external-links.ts';
import { findEmptySubmodules } from '../../apps/build/git/submodules.ts';
import { listTree, readSlugIgnore } from '../../apps/build/slugignore.ts';
import { systemCode, TailraceError } from '../../common/errors.ts';
import { sendClientRequest } from '../../common/http/client/client-request.ts';
import {
  APP_OPTION,
  type ApiClient,
  errorFromResponse,
  remoteOption,
  resolveLastingEndpoint,
} from '../api-client.ts';

interface SourceBlob {
  readonly put_url: string;
  readonly get_url: string;
  /** Packed. */
  readonly max_bytes: number;
}

/** `tailrace push`: deploys the current folder, committed or not. */
export function pushCommand(program: Command): void {
  program
    .command('push')
    .alias('deploy')
    .description('deploy this folder, without what .slugignore names')
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .option('-d, --dir <folder>', 'another folder', '.')
    .action(async (options: { app?: string; dir: string }) => {
      const { client, path } = await resolveLastingEndpoint(options, '/builds');
      const folder = resolve(options.dir);
      const work = await mkdtemp(join(tmpdir(), 'tailrace-push-'));
      try {
        const file = join(work, 'source.tgz');
        await pack(folder, file);
        process.exitCode = await deploy(client, path, file);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    });
}

/** What is never part of an app, in its top folder; `.git` neither below it, where submodules have one. */
const ALWAYS_IGNORED = ['.git', 'node_modules', '.tailrace', '.venv', '__pycache__'];

async function pack(folder: string, file: string): Promise<void> {
  if (!existsSync(folder)) throw new TailraceError('not_found', `There is no folder ${folder}.`);
  const linkOut = await findExternalLink(folder, ['.slugignore']);
  if (linkOut !== undefined) throw new TailraceError('invalid_params', linkOut);
  const slugIgnore = await readSlugIgnore(folder);
  const empty = (await findEmptySubmodules(folder)).filter((path) => !slugIgnore(path, true));
  if (empty.length > 0)
    throw new TailraceError(
      'invalid_params',
      `${empty.join(', ')}: submodules that aren't checked out. Run \`git submodule update --init --recursive\` first, or name them in .slugignore.`,
    );
  const { kept } = await listTree(
    folder,
    (path, isDirectory) =>
      ALWAYS_IGNORED.includes(path) || path.endsWith('/.git') || slugIgnore(path, isDirectory),
  );
  const names = ['./', ...kept.map((path) => `./${path}`)];
  const args = ['-czf', file, '-C', folder, '--null', '--no-recursion', '-T', '-'];
  const child = spawn('tar', args, { stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin.on('error', () => {}); // its status says it
  child.stdin.end(Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1'));
  const status = await new Promise<number | null>((done, fail) => {
    child.on('error', fail);
    child.on('close', done);
  });
  if (status !== 0)
    throw new TailraceError('bad_request', `The folder can't be packed: tar said why (status ${status}).`);
}

/** @param builds their path */
async function deploy(client: ApiClient, builds: string, file: string): Promise<number> {
  const { url, key } = client.address;
  const { source_blob: source } = await client.request<{ source_blob: SourceBlob }>('POST', '/sources', {});
  const { size } = await stat(file);
  if (size > source.max_bytes)
    throw new TailraceError(
      'too_large',
      `This folder has ${Math.ceil(size / 1_048_576)} MB packed, and may have ${Math.round(source.max_bytes / 1_048_576)}: leave out what isn't needed with a .slugignore file.`,
    );
  const path = new URL(source.put_url).pathname;
  const upload = {
    method: 'PUT',
    headers: { 'content-length': String(size), 'content-type': 'application/gzip' },
    body: { file },
  };
  const put = await client
    .whileItAnswers((signal) => sendClientRequest(url + path, { ...upload, signal }))
    .catch((error: unknown) => {
      throw new TailraceError(
        'unavailable',
        `The upload broke off (${systemCode(error) || error}): try again.`,
        {
          cause: error,
        },
      );
    });
  const answer = await put.body.text();
  if (put.statusCode >= 300) throw errorFromResponse(put.statusCode, answer);
  const build = await client.request<{ id: string }>('POST', builds, {
    source_blob: { url: source.get_url },
  });
  const headers = { authorization: `Bearer ${key}` };
  await client.whileItAnswers(async (signal) => {
    const path = `${url}${builds}/${build.id}/output`;
    const output = await sendClientRequest(path, { headers, pauseMs: 0, signal });
    for await (const chunk of output.body) process.stdout.write(chunk);
  });
  const { status } = await client.request<{ status: string }>('GET', `${builds}/${build.id}`);
  return status === 'succeeded' ? 0 : 1;
}
