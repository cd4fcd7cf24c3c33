import type { FastifyInstance } from 'fastify';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { OWNER } from '../../apps/records/owner.ts';
import type { Releases } from '../../apps/records/release-history.ts';
import type { ReleaseRecord } from '../../apps/records/release-record.ts';
import type { SlugRecord } from '../../apps/records/slug-record.ts';
import { TailraceError } from '../../common/errors.ts';
import type { AppId } from '../../logs/store/contract.ts';
import { PROTECTED_ROUTE } from '../authorize.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { type RolloutDependencies, rollOutRelease } from './config-vars.ts';

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
export interface ReleaseRouteDependencies extends RolloutDependencies {
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
  /** @throws TailraceError `not_found` unless the app has this slug */
  readonly requireSlug: (app: AppId, id: string) => Promise<SlugRecord>;
}

/** `/apps/:app/releases`: list, show, roll back. */
export function releaseRoutes(api: FastifyInstance, dependencies: ReleaseRouteDependencies): void {
  const { appRegistry, releases, requireSlug } = dependencies;

  api.get<AppParams>(
    '/apps/:app/releases',
    routeSchema("List an app's releases", 'Release', { many: true }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const current = await releases.current(app.id);
      const all = (await releases.list(app.id)).map((release) => releaseView(release, app, current));
      return paginate(request, reply, all, ['version', 'id']);
    },
  );

  api.get<ReleaseParams>(
    '/apps/:app/releases/:release',
    routeSchema('Look at a release, by version or id', 'Release'),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const current = await releases.current(app.id);
      return releaseView(await releases.get(app.id, request.params.release), app, current);
    },
  );

  api.get<ReleaseParams>(
    '/apps/:app/releases/:release/config-vars',
    { ...routeSchema('The config vars of a release', 'ConfigVars'), ...PROTECTED_ROUTE },
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
      const release =
        id !== undefined ? await rollBack(app, id) : await releaseSlug(app, slug ?? '', description);
      await rollOutRelease(dependencies, app, release);
      reply.code(201);
      return releaseView(release, app, release);
    },
  );

  async function rollBack(app: AppRecord, id: string): Promise<ReleaseRecord> {
    const to = await releases.get(app.id, id);
    if (to.status !== 'succeeded')
      throw new TailraceError('invalid_params', `v${to.version} failed: choose a release that succeeded.`);
    if (to.slug !== null) await requireSlugOf(app, to, to.slug);
    return releases.add(app.id, (current) => {
      if (current.version === to.version)
        throw new TailraceError(
          'invalid_params',
          `v${to.version} is the current release already: choose an earlier one.`,
        );
      return { description: `Rollback to v${to.version}`, slug: to.slug, config: to.config };
    });
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

  async function releaseSlug(app: AppRecord, slug: string, description?: string): Promise<ReleaseRecord> {
    await requireSlug(app.id, slug);
    return releases.add(app.id, () => ({ description: description ?? `Deploy ${slug.slice(0, 8)}`, slug }));
  }
}

/** A release in the Platform API's shape. */
function releaseView(release: ReleaseRecord, app: AppRecord, current: ReleaseRecord) {
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
    output_stream_url: null,
    eligible_for_rollback: release.status === 'succeeded',
    created_at: release.createdAt,
    updated_at: release.createdAt,
  };
}
