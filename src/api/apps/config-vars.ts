import type { FastifyInstance } from 'fastify';
import type { DynoRunner } from '../../apps/host/contract.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import {
  applyConfigChange,
  type ConfigChange,
  describeConfigChange,
  isConfigChanged,
} from '../../apps/records/config-change.ts';
import { OWNER } from '../../apps/records/owner.ts';
import type { Releases } from '../../apps/records/release-history.ts';
import { attachedNames, type ReleaseRecord } from '../../apps/records/release-record.ts';
import { TailraceError } from '../../common/errors.ts';
import { PlatformLinePriority, type PlatformLog } from '../../logs/router/platform-log.ts';
import { PROTECTED_ROUTE } from '../authorize.ts';
import { entityTag, matchesEtag } from '../etag.ts';
import { routeSchema } from '../schemas-heroku.ts';

interface AppParams {
  Params: { app: string };
}

/** What these routes work with. */
export interface ConfigVarRouteDependencies extends RolloutDependencies {
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
}

/** `/apps/:app/config-vars`: read them, or change several at once, which makes a release. */
export function configVarRoutes(api: FastifyInstance, dependencies: ConfigVarRouteDependencies): void {
  const { appRegistry, releases } = dependencies;

  const summary = "An app's config vars";
  api.get<AppParams>(
    '/apps/:app/config-vars',
    { ...routeSchema(summary, 'ConfigVars'), ...PROTECTED_ROUTE },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return (await releases.current(app.id)).config;
    },
  );

  const requestBody = { type: 'object', additionalProperties: { type: ['string', 'null'] } };
  api.patch<AppParams & { Body: ConfigChange }>(
    '/apps/:app/config-vars',
    routeSchema(
      'Change config vars: all of these or none; null takes one away. With If-Match (the ETag of a GET) only if nobody else has',
      'ConfigVars',
      {
        body: requestBody,
      },
    ),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const change = request.body;
      const expected = request.headers['if-match'];
      let changed = false;
      const release = await releases.add(app.id, (current) => {
        if (expected !== undefined && !matchesEtag(expected, entityTag(JSON.stringify(current.config))))
          throw new TailraceError(
            'precondition_failed',
            `Somebody else has changed the config vars of ${app.name} meanwhile: nothing was changed, read them again.`,
          );
        rejectAttachedChange(current, change);
        const config = applyConfigChange(current.config, change);
        changed = isConfigChanged(current.config, change);
        return changed ? { description: describeConfigChange(change), config } : undefined;
      });
      if (changed) await rollOutRelease(dependencies, app, release);
      return release.config;
    },
  );
}

/** @throws TailraceError `invalid_params` for a config var that an add-on gives, with Heroku's words */
function rejectAttachedChange(current: ReleaseRecord, change: ConfigChange): void {
  const attached = attachedNames(current);
  const names = Object.keys(change).filter(
    (name) => attached.has(name) && change[name] !== current.config[name],
  );
  if (names.length === 0) return;
  const addons = current.addons.filter(({ configVars }) => configVars.some((name) => names.includes(name)));
  throw new TailraceError(
    'invalid_params',
    `Cannot overwrite attachment values ${names.join(', ')}. They are those of ${addons.map(({ name }) => name).join(', ')}: detach it first (addons:detach).`,
  );
}

/** What a new release is rolled out with. */
export interface RolloutDependencies {
  readonly platformLog: PlatformLog;
  readonly dynoRunner: DynoRunner;
}

/** Logs a new release to the app's stream, and replaces the dynos by those of it. */
export async function rollOutRelease(
  { platformLog, dynoRunner }: RolloutDependencies,
  app: AppRecord,
  release: { version: number; description: string },
): Promise<void> {
  const byUser = `by user ${OWNER.email}`;
  platformLog.write(app.id, 'app', 'api', PlatformLinePriority.api, `${release.description} ${byUser}`);
  platformLog.write(
    app.id,
    'app',
    'api',
    PlatformLinePriority.api,
    `Release v${release.version} created ${byUser}`,
  );
  await dynoRunner.deployRelease(app);
}
