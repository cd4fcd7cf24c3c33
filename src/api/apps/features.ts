import type { FastifyInstance } from 'fastify';
import { UNSUPPORTED } from '../../apps/host/unsupported-features.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import {
  FEATURE_NAMES,
  FEATURES,
  type FeatureName,
  hasFeature,
  switchFeature,
} from '../../apps/records/features.ts';
import { TailraceError } from '../../common/errors.ts';
import { PlatformLinePriority, type PlatformLog } from '../../logs/router/platform-log.ts';
import type { Store } from '../../logs/store/contract.ts';
import { actorOf } from '../access/authorize.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

interface Params {
  Params: { app: string; feature: string };
}

/** What these routes work with. */
export interface FeatureRouteDependencies {
  readonly appRegistry: AppRegistry;
  readonly store: Store;
  readonly platformLog: PlatformLog;
}

/** `/apps/:app/features`: switches (`heroku labs`, `heroku features`). */
export function featureRoutes(
  api: FastifyInstance,
  { appRegistry, store, platformLog }: FeatureRouteDependencies,
): void {
  api.get<Params>(
    '/apps/:app/features',
    routeSchema('List what can be switched on', 'Feature', { many: true }),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return Promise.all(FEATURE_NAMES.map((name) => featureView(app, name)));
    },
  );
  api.get<Params>(
    '/apps/:app/features/:feature',
    routeSchema('Look at a switch', 'Feature'),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return featureView(app, requireFeatureName(request.params.feature));
    },
  );
  // Clients request this first: is it a feature of the account?
  api.get('/account/features', routeSchema('An empty list', 'Feature', { many: true }), async () => []);
  const change = bodySchema({ enabled: { type: 'boolean' } }, ['enabled']);
  api.patch<Params & { Body: { enabled: boolean } }>(
    '/apps/:app/features/:feature',
    routeSchema('Switch something on or off', 'Feature', { body: change }),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const name = requireFeatureName(request.params.feature);
      const { enabled } = request.body;
      await switchFeature(store, app.id, name, enabled);
      const text = `${enabled ? 'Enable' : 'Disable'} ${name} feature by user ${actorOf(request)}`;
      platformLog.write(app.id, 'app', 'api', PlatformLinePriority.api, text);
      return featureView(app, name);
    },
  );

  async function featureView(app: AppRecord, name: FeatureName) {
    return {
      id: name,
      name,
      display_name: name,
      description: FEATURES[name].description,
      doc_url: '',
      enabled: await hasFeature(store, app.id, name),
      feedback_email: '',
      state: FEATURES[name].state,
      created_at: app.createdAt,
      updated_at: app.updatedAt,
    };
  }
}

function requireFeatureName(name: string): FeatureName {
  const found = FEATURE_NAMES.find((one) => one === name);
  if (found) return found;
  // Asked for by `heroku ps:exec`, `ps:copy` and their like before anything else.
  if (name === 'runtime-heroku-exec') throw new TailraceError('not_found', UNSUPPORTED.exec);
  throw new TailraceError('not_found', `Couldn't find that feature; there are: ${FEATURE_NAMES.join(', ')}.`);
}
