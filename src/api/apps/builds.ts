import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyInstance } from 'fastify';
import type { Builds } from '../../apps/host/contract.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { type Build, sourceTooLargeError } from '../../apps/records/build-record.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { type SlugRecord, slugRecordKey } from '../../apps/records/slug-record.ts';
import { TailraceError } from '../../common/errors.ts';
import { replaceFileWith } from '../../common/files/replace-file.ts';
import type { Addresses } from '../../common/http/addresses.ts';
import { allowSlowUpload } from '../../common/http/upload-timeout.ts';
import { LruCache } from '../../common/lru-cache.ts';
import type { Store } from '../../logs/store/contract.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { STACK } from './apps.ts';

interface AppParams {
  Params: { app: string };
}
interface NewBuildRequest {
  readonly source_blob: { readonly url: string; readonly version?: string | null };
}

/** A source archive's name: too long to be guessed. */
const SOURCE_ARCHIVE_NAME = /^[A-Za-z0-9_-]{32}$/;

/** How long an archive may be put under a name that was issued for it. */
const SOURCE_NAME_TTL_MS = 3_600_000;
const SOURCE_NAMES_MAX = 10_000;

/** The names that `POST /sources` has issued: without a key, an archive is only taken under one of them. */
export class SourceNames {
  private readonly expiries = new LruCache<string, number>(SOURCE_NAMES_MAX);

  /** @param nowMs on a clock that is never set back */
  issue(nowMs = performance.now()): string {
    const name = randomBytes(24).toString('base64url');
    this.expiries.set(name, nowMs + SOURCE_NAME_TTL_MS);
    return name;
  }

  /** Was it issued, and not too long ago? @param nowMs on the clock of {@link issue} */
  isIssued(name: string, nowMs = performance.now()): boolean {
    return nowMs < (this.expiries.get(name) ?? Number.NEGATIVE_INFINITY);
  }
}

/** What these routes work with. */
export interface BuildRouteDependencies extends SourceUploadDependencies {
  readonly addresses: Addresses;
  readonly appRegistry: AppRegistry;
  readonly builds: Builds;
  readonly store: Store;
}

const NEW_BUILD_BODY = bodySchema(
  {
    source_blob: {
      type: 'object',
      required: ['url'],
      properties: { url: { type: 'string' }, version: { type: ['string', 'null'], maxLength: 200 } },
    },
  },
  ['source_blob'],
);

/** `/sources`, `/apps/:app/builds`, `/apps/:app/slugs`: from an archive of files to a release. */
export function buildRoutes(api: FastifyInstance, dependencies: BuildRouteDependencies): void {
  sourceRoute(api, dependencies);
  buildsOfAppRoutes(api, dependencies);
  singleBuildRoutes(api, dependencies);
  slugRoute(api, dependencies);
}

function sourceRoute(
  api: FastifyInstance,
  { addresses, sourceBytesMax, sourceNames }: BuildRouteDependencies,
): void {
  api.post(
    '/sources',
    {
      ...routeSchema('Where to put a source archive', 'Source', { status: 201, body: bodySchema({}) }),
      // It is of no app yet: of which, its build says.
      config: { keyScope: 'write', isFilteredByApp: true },
    },
    async (request, reply) => {
      const url = `${addresses.forClient(request)}/sources/${sourceNames.issue()}`;
      reply.code(201);
      return { source_blob: { get_url: url, put_url: url, max_bytes: sourceBytesMax } };
    },
  );
}

function buildsOfAppRoutes(
  api: FastifyInstance,
  { addresses, appRegistry, builds, uploadFolder }: BuildRouteDependencies,
): void {
  api.post<AppParams & { Body: NewBuildRequest }>(
    '/apps/:app/builds',
    routeSchema('Build and release a source archive', 'Build', { status: 201, body: NEW_BUILD_BODY }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const { url, version } = request.body.source_blob;
      const name = url.slice(url.lastIndexOf('/') + 1);
      const file = join(uploadFolder, name);
      if (!SOURCE_ARCHIVE_NAME.test(name) || !existsSync(file))
        throw new TailraceError(
          'invalid_params',
          'There is no such source: PUT the archive where POST /sources says first.',
        );
      const build = await builds.begin(app, file, version ?? '');
      reply.code(201);
      return buildView(build, app, addresses.forClient(request));
    },
  );
  api.get<AppParams>(
    '/apps/:app/builds',
    routeSchema('List the latest builds', 'Build', { many: true }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const origin = addresses.forClient(request);
      const views = (await builds.list(app.id)).map((build) => buildView(build, app, origin));
      return paginate(request, reply, views, ['created_at', 'id']);
    },
  );
  api.delete<AppParams>(
    '/apps/:app/build-cache',
    routeSchema('Empty what buildpacks keep from build to build', 'Empty'),
    async (request) => {
      await builds.purgeCache(await appRegistry.getApp(request.params.app));
      return {};
    },
  );
}

function singleBuildRoutes(
  api: FastifyInstance,
  { addresses, appRegistry, builds }: BuildRouteDependencies,
): void {
  const requireBuild = async ({ app: which, build: id }: { app: string; build: string }) => {
    const app = await appRegistry.getApp(which);
    const build = (await builds.list(app.id)).find((one) => one.id === id);
    if (!build) throw new TailraceError('not_found', "Couldn't find that build.");
    return { app, build };
  };
  api.get<AppParams & { Params: { build: string } }>(
    '/apps/:app/builds/:build',
    routeSchema('Look at a build', 'Build'),
    async (request) => {
      const { app, build } = await requireBuild(request.params);
      return buildView(build, app, addresses.forClient(request));
    },
  );
  api.delete<AppParams & { Params: { build: string } }>(
    '/apps/:app/builds/:build',
    routeSchema('Cancel a build that runs: nothing of it is released', 'Build'),
    async (request) => {
      const { app, build } = await requireBuild(request.params);
      build.cancel();
      return buildView(build, app, addresses.forClient(request));
    },
  );
  api.get<AppParams & { Params: { build: string } }>(
    '/apps/:app/builds/:build/output',
    routeSchema('Follow what a build says, as text', 'Text'),
    async (request, reply) => {
      const { build } = await requireBuild(request.params);
      return reply.type('text/plain; charset=utf-8').send(Readable.from(build.output()));
    },
  );
}

function slugRoute(api: FastifyInstance, { appRegistry, store }: BuildRouteDependencies): void {
  api.get<AppParams & { Params: { slug: string } }>(
    '/apps/:app/slugs/:slug',
    routeSchema('Look at a slug', 'Slug'),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const found = await store.get<SlugRecord>(app.id, slugRecordKey(request.params.slug));
      if (!found) throw new TailraceError('not_found', "Couldn't find that slug.");
      return slugView(found.value);
    },
  );
}

/** Where uploads of sources go. */
export interface SourceUploadDependencies {
  /** Folder of source archives that wait to be built. */
  readonly uploadFolder: string;
  /** What a source may hold, packed. */
  readonly sourceBytesMax: number;
  readonly sourceNames: SourceNames;
}

/** `PUT /sources/<name>`: takes an archive; the name that was issued for it is the only secret. */
export function sourceUploadRoutes(
  server: FastifyInstance,
  { uploadFolder, sourceBytesMax, sourceNames }: SourceUploadDependencies,
): void {
  void server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.put<{ Params: { name: string }; Body: Readable | null }>(
      '/sources/:name',
      { bodyLimit: sourceBytesMax },
      async (request) => {
        allowSlowUpload(request);
        const { name } = request.params;
        if (!sourceNames.isIssued(name))
          throw new TailraceError(
            'not_found',
            "Couldn't find that source: POST /sources says where to put an archive, for an hour.",
          );
        if (!request.body)
          throw new TailraceError('bad_request', 'The archive is missing: send it as the body.');
        await mkdir(uploadFolder, { recursive: true, mode: 0o700 });
        const { body } = request;
        const write = (part: string) =>
          pipeline(body, limitByteCount(sourceBytesMax), createWriteStream(part, { mode: 0o600 }));
        // Its name is good as long as this process runs.
        const temporary = join(uploadFolder, `${name}.part`);
        await replaceFileWith(join(uploadFolder, name), write, { temporary, sync: false });
        return {};
      },
    );
  });
}

function limitByteCount(byteCountMax: number): Transform {
  let byteCount = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      byteCount += chunk.length;
      if (byteCount > byteCountMax) done(sourceTooLargeError(byteCountMax));
      else done(null, chunk);
    },
  });
}

function buildView(build: Build, app: AppRecord, origin: string) {
  return {
    id: build.id,
    app: { id: app.id, name: app.name },
    status: build.status,
    buildpacks: build.buildpack === '' ? [] : [{ name: build.buildpack, url: '' }],
    output_stream_url: `${origin}/apps/${app.id}/builds/${build.id}/output`,
    release: build.release,
    slug: build.slug === null ? null : { id: build.slug },
    source_blob: { checksum: null, url: '', version: build.commit, version_description: null },
    stack: STACK.name,
    user: OWNER,
    created_at: build.createdAt,
    updated_at: build.updatedAt,
  };
}

function slugView(slug: SlugRecord) {
  return {
    id: slug.id,
    blob: null,
    buildpack_provided_description: slug.buildpack,
    checksum: null,
    commit: slug.commit || null,
    commit_description: null,
    process_types: slug.processTypes,
    size: slug.byteCount,
    stack: STACK,
    created_at: slug.createdAt,
    updated_at: slug.createdAt,
  };
}
