import type { FastifyInstance } from 'fastify';
import {
  type ConfigChange,
  changedConfig,
  changesAnything,
  describeChange,
} from '../../apps/records/config-change.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { Priority } from '../../logs/router/announcer.ts';
import type { Context } from '../context.ts';
import { describe } from '../shapes.ts';

interface AppParams {
  Params: { app: string };
}

/** `/apps/:app/config-vars`: read them, or change several at once, which makes a release. */
export function configRoutes(api: FastifyInstance, context: Context): void {
  const { directory, releases } = context;

  const summary = "An app's config vars";
  api.get<AppParams>('/apps/:app/config-vars', describe(summary, 'ConfigVars'), async (request) => {
    const app = await directory.app(request.params.app);
    return (await releases.current(app.id)).config;
  });

  const change = { type: 'object', additionalProperties: { type: ['string', 'null'] } };
  api.patch<AppParams & { Body: ConfigChange }>(
    '/apps/:app/config-vars',
    describe('Change config vars: all of these or none; null takes one away', 'ConfigVars', { body: change }),
    async (request) => {
      const app = await directory.app(request.params.app);
      const wanted = request.body;
      let changed = false;
      const release = await releases.add(app.id, (current) => {
        const config = changedConfig(current.config, wanted);
        changed = changesAnything(current.config, wanted);
        return changed ? { description: describeChange(wanted), config } : undefined;
      });
      if (changed) await announceRelease(context, app, release);
      return release.config;
    },
  );
}

/** Tells the stream of a new release, and makes the dynos those of it. */
export async function announceRelease(
  { announcer, runner }: Context,
  app: Parameters<Context['runner']['released']>[0],
  release: { version: number; description: string },
): Promise<void> {
  const by = `by user ${OWNER.email}`;
  announcer.announce(app.id, 'app', 'api', Priority.api, `${release.description} ${by}`);
  announcer.announce(app.id, 'app', 'api', Priority.api, `Release v${release.version} created ${by}`);
  await runner.released(app);
}
