import type { FastifyInstance } from 'fastify';
import type { AppRecord } from '../../apps/records/directory.ts';
import { FEATURES, type FeatureName, hasFeature, switchFeature } from '../../apps/records/features.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import { Priority } from '../../logs/router/announcer.ts';
import type { Context } from '../context.ts';
import { body, describe } from '../shapes.ts';

interface Params {
  Params: { app: string; feature: string };
}

/** `/apps/:app/features`: switches (`heroku labs`). */
export function featureRoutes(api: FastifyInstance, { directory, store, announcer }: Context): void {
  api.get<Params>(
    '/apps/:app/features',
    describe('List what can be switched on', 'Feature', { many: true }),
    async (request) => {
      const app = await directory.app(request.params.app);
      return Promise.all(names().map((name) => view(app, name)));
    },
  );
  api.get<Params>(
    '/apps/:app/features/:feature',
    describe('Look at a switch', 'Feature'),
    async (request) => {
      const app = await directory.app(request.params.app);
      return view(app, known(request.params.feature));
    },
  );
  // Clients look here first: whether it is the account's.
  api.get('/account/features', describe('An empty list', 'Feature', { many: true }), async () => []);
  const change = body({ enabled: { type: 'boolean' } }, ['enabled']);
  api.patch<Params & { Body: { enabled: boolean } }>(
    '/apps/:app/features/:feature',
    describe('Switch something on or off', 'Feature', { body: change }),
    async (request) => {
      const app = await directory.app(request.params.app);
      const name = known(request.params.feature);
      const { enabled } = request.body;
      await switchFeature(store, app.id, name, enabled);
      const text = `${enabled ? 'Enable' : 'Disable'} ${name} feature by user ${OWNER.email}`;
      announcer.announce(app.id, 'app', 'api', Priority.api, text);
      return view(app, name);
    },
  );

  async function view(app: AppRecord, name: FeatureName) {
    return {
      id: name,
      name,
      display_name: name,
      description: FEATURES[name],
      doc_url: '',
      enabled: await hasFeature(store, app.id, name),
      feedback_email: '',
      state: 'beta',
      created_at: app.createdAt,
      updated_at: app.updatedAt,
    };
  }
}

function names(): FeatureName[] {
  return ['log-runtime-metrics'];
}

function known(name: string): FeatureName {
  const found = names().find((one) => one === name);
  if (found) return found;
  throw new TailraceError('not_found', `Couldn't find that feature; there are: ${names().join(', ')}.`);
}
