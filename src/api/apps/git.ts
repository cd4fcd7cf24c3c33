/**
 * `git push`: git's smart HTTP protocol over git's own programs. A push to `main` or `master` is built before git takes
 * it, by the repository's pre-receive hook: when the build fails, the push fails, and nothing has changed.
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { KeyGrant } from '../../apps/access/api-keys.ts';
import { closingDescriptorsOf } from '../../apps/processes/inherited-descriptors.ts';
import type { AppRecord } from '../../apps/records/app-registry.ts';
import { sourceTooLargeMessage } from '../../apps/records/build-record.ts';
import { TailraceError } from '../../common/errors.ts';
import { keepFolder } from '../../common/files/kept-folders.ts';
import type { Addresses } from '../../common/http/addresses.ts';
import { onResponseClosed } from '../../common/http/response-closed.ts';
import { allowSlowUpload } from '../../common/http/upload-timeout.ts';
import type { Log } from '../../common/log.ts';
import { PACKAGE_ROOT } from '../../common/package-info.ts';
import type { AppId } from '../../logs/store/contract.ts';
import { type AuditDependencies, writeAudit } from '../access/audit-requests.ts';
import type { Caller } from '../access/authorize.ts';

const GIT_SERVICES = ['git-receive-pack', 'git-upload-pack'] as const;
type GitService = (typeof GIT_SERVICES)[number];

interface RepositoryParams {
  Params: { repository: string };
  Body: Readable | null;
}

/** What these routes work with. */
export interface GitRouteDependencies extends AuditDependencies {
  /** Folder of the apps' git repositories. */
  readonly repositoryFolder: string;
  /** Where pushed commits are packed. */
  readonly uploadFolder: string;
  /** What a source may hold, packed. */
  readonly sourceBytesMax: number;
  readonly addresses: Addresses;
  readonly log: Log;
}

interface GitServiceRequest {
  readonly service: GitService;
  readonly app: AppId;
  readonly folder: string;
  readonly advertise: boolean;
  readonly head: string;
  readonly input: Readable | null;
}

/** The routes of every app's repository, `/<app>.git`. */
export function gitRoutes(
  server: FastifyInstance,
  dependencies: GitRouteDependencies,
  grantToWrite: (caller: Caller, app: AppRecord | undefined) => Promise<KeyGrant | undefined>,
): void {
  const { appRegistry, auditLog } = dependencies;
  void server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.addHook('onRequest', async (request, reply) => {
      const { repository } = request.params as RepositoryParams['Params'];
      const app = await appRegistry.findApp(appNameOf(repository));
      request.keyGrant = await grantToWrite(request, app);
      if (request.keyGrant) return;
      reply.header('WWW-Authenticate', 'Basic realm="Tailrace"');
      throw new TailraceError(
        'unauthorized',
        'Invalid credentials provided: the password is an API key (print one with `tailrace auth:token`).',
      );
    });
    // Of an answer in JSON git says nothing: "repository not found", whatever it was.
    scope.addHook('onSend', async (_request, reply, payload) => {
      if (reply.statusCode < 400 || typeof payload !== 'string') return payload;
      const { message } = JSON.parse(payload) as { message: string };
      reply.type('text/plain; charset=utf-8').removeHeader('content-length');
      return `${message}\n`;
    });
    scope.get<RepositoryParams & { Querystring: { service?: string } }>(
      '/:repository/info/refs',
      async (request, reply) => {
        const service = GIT_SERVICES.find((one) => one === request.query.service);
        if (!service)
          throw new TailraceError('forbidden', 'Only the smart HTTP protocol of git is spoken here.');
        const { app, folder } = await requireRepository(dependencies, request.params.repository);
        const first = `# service=${service}\n`;
        const head = `${(first.length + 4).toString(16).padStart(4, '0')}${first}0000`;
        await runGitService(dependencies, request, reply, {
          service,
          app,
          folder,
          advertise: true,
          head,
          input: null,
        });
      },
    );
    for (const service of GIT_SERVICES)
      scope.post<RepositoryParams>(
        `/:repository/${service}`,
        // Git itself takes less, and reports that in its own protocol.
        { bodyLimit: Number.MAX_SAFE_INTEGER },
        async (request, reply) => {
          allowSlowUpload(request);
          if (service === 'git-receive-pack')
            writeAudit(auditLog, request, request.keyGrant, {
              action: 'Push to the repository of an app',
              app: appNameOf(request.params.repository),
              fields: {},
            });
          const { app, folder } = await requireRepository(dependencies, request.params.repository);
          await runGitService(dependencies, request, reply, {
            service,
            app,
            folder,
            advertise: false,
            head: '',
            input: request.body,
          });
        },
      );
  });
}

async function requireRepository(
  { appRegistry, repositoryFolder }: GitRouteDependencies,
  name: string,
): Promise<{ app: AppId; folder: string }> {
  const { id } = await appRegistry.getApp(appNameOf(name));
  return { app: id, folder: await ensureRepository(repositoryFolder, id) };
}

/** Runs one of git's programs, which reads the request's body and writes the answer's. */
async function runGitService(
  dependencies: GitRouteDependencies,
  request: FastifyRequest,
  reply: FastifyReply,
  serviceRequest: GitServiceRequest,
): Promise<void> {
  const { repositoryFolder, sourceBytesMax, log } = dependencies;
  const { service, app, folder, advertise, head, input } = serviceRequest;
  const args = [...(advertise ? ['--advertise-refs'] : []), folder];
  const protocol = request.headers['git-protocol'];
  const git = closingDescriptorsOf('git', [
    '-c',
    `receive.maxInputSize=${sourceBytesMax}`,
    // What CI checks out. Git would refuse it only after the hook, when it is released already.
    '-c',
    'receive.shallowUpdate=true',
    service.slice(4),
    '--stateless-rpc',
    ...args,
  ]);
  const child: ChildProcessWithoutNullStreams = spawn(git.program, git.args, {
    env: {
      PATH: process.env.PATH,
      HOME: repositoryFolder,
      GIT_PROTOCOL: typeof protocol === 'string' ? protocol : '',
      ...hookEnvironment(dependencies, request, app),
    },
  });
  reply.hijack();
  child.stdin.on('error', () => {});
  child.on('error', (error) => {
    log.warn({ err: error }, 'git could not be run');
    reply.raw.destroy();
  });
  child.stderr.on('data', (text: Buffer) => log.warn({ git: text.toString('utf8').trim() }, 'git said'));
  const kind = advertise ? 'advertisement' : 'result';
  reply.raw.writeHead(200, {
    'Content-Type': `application/x-${service}-${kind}`,
    'Cache-Control': 'no-cache, max-age=0, must-revalidate',
  });
  reply.raw.write(head);
  onResponseClosed(reply.raw, () => {
    if (child.exitCode === null) child.kill('SIGTERM');
  });
  child.stdout.pipe(reply.raw);
  if (input) feedGit(child, input, request, reply, sourceBytesMax);
  else child.stdin.end();
}

/** Gives git what a client sends, and tells the client when that is more than a source may hold. */
function feedGit(
  child: ChildProcessWithoutNullStreams,
  input: Readable,
  { headers }: FastifyRequest,
  reply: FastifyReply,
  sourceBytesMax: number,
): void {
  const isZipped = headers['content-encoding'] === 'gzip';
  const uncompressed = isZipped ? input.pipe(createGunzip().on('error', () => child.kill('SIGTERM'))) : input;
  let byteCount = 0;
  let isSizeErrorSent = false;
  uncompressed.on('data', (chunk: Buffer) => {
    byteCount += chunk.length;
    if (isSizeErrorSent || byteCount <= sourceBytesMax) return;
    isSizeErrorSent = true;
    reply.raw.write(sidebandMessage(` !     ${sourceTooLargeMessage(sourceBytesMax, 'of the commits')}`));
  });
  uncompressed.pipe(child.stdin);
  // Git has ended. The rest is read and discarded: a client that still sends doesn't read the reason.
  child.stdin.on('close', () => {
    uncompressed.unpipe(child.stdin);
    uncompressed.resume();
  });
}

function hookEnvironment(
  { addresses, uploadFolder }: GitRouteDependencies,
  request: FastifyRequest,
  app: AppId,
) {
  return {
    HOOK_PROGRAM: join(PACKAGE_ROOT, 'dist', 'bundle', 'pre-receive.js'),
    HOOK_NODE: process.execPath,
    HOOK_URL: addresses.local,
    // Not its name: it may be renamed while it is built.
    HOOK_APP: app,
    HOOK_FOLDER: uploadFolder,
    // Git of the repository itself has nobody's settings; submodules are fetched with the credentials of whoever runs this.
    HOOK_HOME: process.env.HOME ?? '',
    HOOK_AUTHORIZATION: request.headers.authorization ?? '',
  };
}

/** A packet of the second band, which git shows as `remote: …` (gitprotocol-pack(5)). */
function sidebandMessage(text: string): Buffer {
  const bytes = Buffer.from(`\u0002${text}\n`);
  return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0')), bytes]);
}

const PRE_RECEIVE_HOOK = '#!/bin/sh\nexec "$HOOK_NODE" "$HOOK_PROGRAM"\n';

/** An app's repository; makes it when it isn't there, whole or not at all. */
async function ensureRepository(folder: string, app: AppId): Promise<string> {
  const path = join(folder, `${app}.git`);
  if (existsSync(path)) return path;
  const unfinished = join(folder, `${app}.${randomUUID()}`);
  try {
    await mkdir(unfinished, { recursive: true, mode: 0o700 });
    await runGit(['init', '--quiet', '--bare', '--initial-branch=main', unfinished]);
    const settings = {
      'gc.auto': '0',
      'http.receivepack': 'true',
    };
    for (const [name, value] of Object.entries(settings))
      await runGit(['--git-dir', unfinished, 'config', name, value]);
    const hook = join(unfinished, 'hooks', 'pre-receive');
    await mkdir(dirname(hook), { recursive: true });
    await writeFile(hook, PRE_RECEIVE_HOOK);
    await chmod(hook, 0o755);
    // Another push may have been first.
    await keepFolder(unfinished, path);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return path;
}

async function runGit(args: readonly string[]): Promise<void> {
  const child = spawn('git', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderrText = '';
  child.stderr.on('data', (text: Buffer) => {
    stderrText += text.toString('utf8');
  });
  const status = await new Promise((resolve) => {
    child.on('error', () => resolve(127));
    child.on('close', resolve);
  });
  if (status !== 0)
    throw new TailraceError(
      'unavailable',
      `git can't be run on the server (${stderrText.trim() || status}): install it.`,
    );
}

/** `shop.git` → `shop` */
function appNameOf(repository: string): string {
  return repository.replace(/\.git$/, '');
}
