import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { permits } from '../../apps/access/grants.ts';
import type { ReleaseMaker } from '../../apps/host/contract.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { OWNER } from '../../apps/records/owner.ts';
import type { Releases } from '../../apps/records/release-history.ts';
import type { ReleaseRecord } from '../../apps/records/release-record.ts';
import type { SlugRecord } from '../../apps/records/slug-record.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Addresses } from '../../common/http/addresses.ts';
import { isSameSecret } from '../../common/secret-comparison.ts';
import type { AppId } from '../../logs/store/contract.ts';
import { needsScope } from '../access/authorize.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

interface AppParams {
  Params: { app: string };
}
interface ReleaseParams {
  Params: { app: string; release: string };
}
interface NewReleaseRequest {
  /** Roll back to this one. */
  readonly release?: string;
  /** Or run this slug. */
  readonly slug?: string;
  readonly description?: string;
}

/** What these routes work with. */
export interface ReleaseRouteDependencies {
  readonly addresses: Addresses;
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
  readonly releaser: ReleaseMaker;
  /** Is the file of a slug here? */
  readonly hasSlug: (id: string) => boolean;
  /** @throws TailraceError `not_found` unless the app has this slug */
  readonly requireSlug: (app: AppId, id: string) => Promise<SlugRecord>;
  /** A slug of any app, for this one. @throws TailraceError `not_found` when there is none */
  readonly adoptSlug: (app: AppId, id: string) => Promise<string>;
}

/** `/apps/:app/releases`: list, show, roll back. */
export function releaseRoutes(api: FastifyInstance, dependencies: ReleaseRouteDependencies): void {
  const { addresses, adoptSlug, appRegistry, releases, releaser, requireSlug } = dependencies;
  const view = (release: ReleaseRecord, app: AppRecord, current: ReleaseRecord, request: FastifyRequest) =>
    releaseView(release, app, current, addresses.forClient(request), dependencies.hasSlug);

  api.get<AppParams>(
    '/apps/:app/releases',
    routeSchema("List an app's releases", 'Release', { many: true }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const current = await releases.current(app.id);
      const all = (await releases.list(app.id)).map((release) => view(release, app, current, request));
      return paginate(request, reply, all, ['version', 'id']);
    },
  );

  api.get<ReleaseParams>(
    '/apps/:app/releases/:release',
    routeSchema('Look at a release, by version or id', 'Release'),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const current = await releases.current(app.id);
      const release = await releases.get(app.id, request.params.release);
      return view(release, app, current, request);
    },
  );

  api.get<ReleaseParams>(
    '/apps/:app/releases/:release/config-vars',
    { ...routeSchema('The config vars of a release', 'ConfigVars'), ...needsScope('config:read') },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return (await releases.get(app.id, request.params.release)).config;
    },
  );

  const requestBody = bodySchema({
    release: { type: 'string' },
    slug: { type: 'string' },
    description: { type: 'string', maxLength: 200 },
  });
  api.post<AppParams & { Body: NewReleaseRequest | null }>(
    '/apps/:app/releases',
    routeSchema('Roll back to a release, or release a slug', 'Release', { status: 201, body: requestBody }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const { release: id, slug, description } = request.body ?? {};
      if ((id === undefined) === (slug === undefined))
        throw new TailraceError('invalid_params', 'Name either a release to roll back to, or a slug.');
      // The slugs of others are none of theirs who may do that in some apps alone.
      if (slug !== undefined && request.keyGrant && !permits(request.keyGrant, 'write'))
        await requireSlug(app.id, slug);
      const release =
        id !== undefined ? await rollBack(app, id) : await releaseSlug(app, slug ?? '', description);
      reply.code(201);
      return view(release, app, release, request);
    },
  );

  async function rollBack(app: AppRecord, id: string): Promise<ReleaseRecord> {
    const to = await releases.get(app.id, id);
    if (to.status !== 'succeeded')
      throw new TailraceError(
        'invalid_params',
        `v${to.version} ${to.status === 'failed' ? 'failed' : "isn't released yet"}: choose a release that succeeded.`,
      );
    if (to.slug !== null) await requireSlugOf(app, to, to.slug);
    else if ((await releases.current(app.id)).slug !== null)
      // Its dynos would go on as they are, and a server that starts anew would have none to run.
      throw new TailraceError(
        'invalid_params',
        `v${to.version} has no slug, since nothing was deployed before it: choose a later release.`,
      );
    return releaser.rollBack(app, to);
  }

  /** Old slugs are removed: what ran then can't be started any more. */
  async function requireSlugOf(app: AppRecord, { version }: ReleaseRecord, slug: string): Promise<void> {
    await requireSlug(app.id, slug).catch((error: unknown) => {
      if (!(error instanceof TailraceError) || error.code !== 'not_found') throw error;
      throw new TailraceError(
        'invalid_params',
        `The slug of v${version} is no longer kept: choose a later release, or push that commit again.`,
      );
    });
  }

  /** Also of another app: that is how Heroku's pipelines promote. */
  async function releaseSlug(app: AppRecord, id: string, description?: string): Promise<ReleaseRecord> {
    const slug = await adoptSlug(app.id, id);
    return releaser.release(app, () => ({ description: description ?? `Deploy ${slug.slice(0, 8)}`, slug }));
  }
}

const APP_ID = /^[0-9a-f-]{36}$/;

/** What these routes work with. */
export type ReleaseOutputDependencies = Pick<ReleaseRouteDependencies, 'releases' | 'releaser'>;

/**
 * `/releases/<app>/<version>/<secret>`: what a release command says, as text, while it runs and afterwards. Without a key, as on
 * Heroku: clients that follow `output_stream_url` send none.
 */
export function releaseOutputRoutes(server: FastifyInstance, dependencies: ReleaseOutputDependencies): void {
  const { releases, releaser } = dependencies;
  server.get<{ Params: { app: AppId; version: string; secret: string } }>(
    '/releases/:app/:version/:secret',
    async (request, reply) => {
      const { app, version, secret } = request.params;
      const all = APP_ID.test(app) ? await releases.list(app) : [];
      const release = all.find((one) => String(one.version) === version);
      if (!release?.output || !isSameSecret(secret, release.output))
        throw new TailraceError('not_found', "Couldn't find that output.");
      reply.type('text/plain; charset=utf-8');
      const live = releaser.output(release.output);
      if (live) return reply.send(Readable.from(live));
      const kept = await releases.output(app, release.version);
      if (kept !== undefined) return kept;
      return release.status === 'pending'
        ? 'Its release command runs on another server: what it says is in the log (--dyno release).\n'
        : 'What it said is no longer kept.\n';
    },
  );
}

function outputPath(app: AppRecord, { version, output }: ReleaseRecord): string {
  return `/releases/${app.id}/${version}/${output}`;
}

/** A release in the Platform API's shape. */
function releaseView(
  release: ReleaseRecord,
  app: AppRecord,
  current: ReleaseRecord,
  origin: string,
  hasSlug: (id: string) => boolean,
) {
  return {
    id: release.id,
    version: release.version,
    current: release.version === current.version,
    status: release.status,
    description: release.description,
    user: OWNER,
    app: { id: app.id, name: app.name },
    slug: release.slug === null ? null : { id: release.slug },
    addon_plan_names: release.addons.map(({ plan }) => plan),
    output_stream_url: release.output === undefined ? null : `${origin}${outputPath(app, release)}`,
    // A local app has no slugs, only config vars.
    eligible_for_rollback:
      release.status === 'succeeded' &&
      (release.slug === null ? current.slug === null : hasSlug(release.slug)),
    created_at: release.createdAt,
    updated_at: release.createdAt,
  };
}
