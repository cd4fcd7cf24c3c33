import type { FastifyInstance } from 'fastify';
import {
  applyConfigChange,
  type ConfigChange,
  describeConfigChange,
  isConfigChanged,
} from '../../apps/records/config-change.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { PlatformLinePriority } from '../../logs/router/platform-log.ts';
import type { ApiContext } from '../context.ts';
import { routeSchema } from '../schemas-heroku.ts';

interface AppParams {
  Params: { app: string };
}

/** `/apps/:app/config-vars`: read them, or change several at once, which makes a release. */
export function configVarRoutes(api: FastifyInstance, context: ApiContext): void {
  const { appRegistry, releases } = context;

  const summary = "An app's config vars";
  api.get<AppParams>('/apps/:app/config-vars', routeSchema(summary, 'ConfigVars'), async (request) => {
    const app = await appRegistry.getApp(request.params.app);
    return (await releases.current(app.id)).config;
  });

  const requestBody = { type: 'object', additionalProperties: { type: ['string', 'null'] } };
  api.patch<AppParams & { Body: ConfigChange }>(
    '/apps/:app/config-vars',
    routeSchema('Change config vars: all of these or none; null takes one away', 'ConfigVars', {
      body: requestBody,
    }),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const change = request.body;
      let changed = false;
      const release = await releases.add(app.id, (current) => {
        const config = applyConfigChange(current.config, change);
        changed = isConfigChanged(current.config, change);
        return changed ? { description: describeConfigChange(change), config } : undefined;
      });
      if (changed) await rollOutRelease(context, app, release);
      return release.config;
    },
  );
}

/** Tells the stream of a new release, and makes the dynos those of it. */
export async function rollOutRelease(
  { platformLog, dynoRunner }: ApiContext,
  app: Parameters<ApiContext['dynoRunner']['deployRelease']>[0],
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
