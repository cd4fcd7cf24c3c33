/**
 * The pre-receive hook of an app's repository: checks the pushed commit out, packs it, has it built and released by the server, and
 * prints the build's output, which git shows as `remote: …`. Its status decides whether git accepts the push.
 */

import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { sendClientRequest } from '../../common/http/client/client-request.ts';
import { errorMessage } from '../../common/text/error-message.ts';
import { checkOutCommit } from './git/checkout.ts';
import { runGit } from './git/git-command.ts';
import { packFolder } from './tar.ts';

const BRANCHES = ['refs/heads/main', 'refs/heads/master'];
const {
  HOOK_URL = '',
  HOOK_APP = '',
  HOOK_AUTHORIZATION = '',
  HOOK_FOLDER = tmpdir(),
  HOOK_HOME,
} = process.env;
const authorization = HOOK_AUTHORIZATION;
// Of a push from a shallow clone. One commit is looked at, whatever is before it, and not every command of git bears this variable.
delete process.env.GIT_SHALLOW_FILE;
// Its client has gone: the build goes on, and what is here is removed at its end.
process.stdout.on('error', () => {});

void receive();

async function receive(): Promise<void> {
  const updates = (await text(process.stdin))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' '));
  const deployed = updates.find(([, commit, ref]) => BRANCHES.includes(ref) && !/^0+$/.test(commit));
  if (updates.some(([, commit, ref]) => BRANCHES.includes(ref) && /^0+$/.test(commit))) {
    print(" !     The branch that is deployed can't be deleted.");
    process.exitCode = 1;
  } else if (updates.some(([, , ref]) => BRANCHES.some((branch) => ref.startsWith(`${branch}/`)))) {
    print(' !     A branch below main or master would be in the way of these: name it otherwise.');
    process.exitCode = 1;
  } else if (!deployed) {
    print(
      `-----> Pushed to ${updates.map(([, , ref]) => ref).join(', ')}: only main and master are deployed.`,
    );
  } else {
    for (const [, commit, ref] of updates)
      if (BRANCHES.includes(ref) && commit !== deployed[1])
        print(` !     ${ref} is another commit, and isn't deployed: ${deployed[2]} is.`);
    process.exitCode = await deploy(deployed).catch((error: unknown) => {
      print(` !     ${errorMessage(error)}`);
      return 1;
    });
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** @param update the commit before, the one that was pushed, and the branch, as git has them */
async function deploy([before, commit, branch]: readonly string[]): Promise<number> {
  await mkdir(HOOK_FOLDER, { recursive: true, mode: 0o700 });
  const work = await mkdtemp(join(HOOK_FOLDER, 'push-'));
  const file = join(work, 'source.tgz');
  try {
    await requireCommit(commit);
    await packCommit(commit, work, file);
    await requireUnmoved(branch, before);
    const { source_blob: source } = await callApi<{
      source_blob: { put_url: string; get_url: string; max_bytes: number };
    }>('POST', '/sources', {});
    const { size } = await stat(file);
    if (size > source.max_bytes)
      throw new Error(`The commit is larger than ${Math.round(source.max_bytes / 1_048_576)} MB packed.`);
    const put = await sendClientRequest(source.put_url, {
      method: 'PUT',
      headers: { 'content-length': String(size), 'content-type': 'application/gzip' },
      body: { file },
    });
    const answer = await put.body.text();
    if (put.statusCode >= 300) throw new Error(answerMessage(answer));
    const build = await callApi<{ id: string }>('POST', `/apps/${HOOK_APP}/builds`, {
      source_blob: { url: source.get_url, version: commit },
    });
    const path = `/apps/${HOOK_APP}/builds/${build.id}`;
    const output = await sendClientRequest(`${HOOK_URL}${path}/output`, {
      headers: { authorization },
      pauseMs: 0,
    });
    for await (const chunk of output.body) process.stdout.write(chunk);
    const { status } = await callApi<{ status: string }>('GET', path);
    return status === 'succeeded' ? 0 : 1;
  } finally {
    await rm(work, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Git refuses a branch that is something else, but only after this hook. @throws Error */
async function requireCommit(object: string): Promise<void> {
  const { stdout } = await runGit(['cat-file', '-t', object], process.env);
  const type = stdout.toString().trim();
  if (type !== 'commit')
    throw new Error(
      `That is a ${type || 'missing object'}, and a branch needs a commit: push what it stands for (git push tailrace NAME^{commit}:main).`,
    );
}

/** Git refuses a branch that others have pushed to meanwhile, but only after this hook. @throws Error */
async function requireUnmoved(branch: string, before: string): Promise<void> {
  const { stdout } = await runGit(['rev-parse', '--verify', '--quiet', branch], process.env);
  const now = stdout.toString().trim();
  if (now !== (/^0+$/.test(before) ? '' : before))
    throw new Error('Somebody else has pushed meanwhile: fetch that, and push again.');
}

/** Git's environment lets this see objects which aren't accepted yet. */
async function packCommit(commit: string, work: string, file: string): Promise<void> {
  const folder = join(work, 'app');
  await mkdir(folder);
  await checkOutCommit({
    commit,
    folder,
    work,
    repositoryEnv: process.env,
    fetchEnv: { ...process.env, HOME: HOOK_HOME },
    onLine: print,
  });
  await packFolder(folder, file);
  // Before it is built: what is unpacked there takes the same space again.
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

async function callApi<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
  const response = await sendClientRequest(HOOK_URL + path, {
    method,
    headers: { authorization, ...(body ? { 'content-type': 'application/json' } : {}) },
    body: body && JSON.stringify(body),
  });
  const responseText = await response.body.text();
  if (response.statusCode >= 300) throw new Error(answerMessage(responseText));
  return JSON.parse(responseText) as T;
}

function answerMessage(body: string): string {
  try {
    return String(JSON.parse(body).message);
  } catch {
    return body;
  }
}
