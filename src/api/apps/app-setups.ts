import type { FastifyInstance } from 'fastify';
import { parseAppManifest } from '../../apps/host/setup/app-manifest.ts';
import type { AppSetup } from '../../apps/host/setup/app-setup.ts';
import type { AppRecord } from '../../apps/records/app-registry.ts';
import { applyConfigChange } from '../../apps/records/config-change.ts';
import { TailraceError } from '../../common/errors.ts';
import { getNamedApp } from '../access/authorize.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { type AppRouteDependencies, createNewApp, destroyApp } from './apps.ts';

interface NewSetupRequest {
  readonly app?: { readonly name?: string | null } | null;
  /** The text of an `app.json`, or what is in it. */
  readonly manifest?: string | object;
  /** A part of its `environments`. */
  readonly environment?: string | null;
  readonly overrides?: { readonly env?: Readonly<Record<string, string>> | null } | null;
}

/** What these routes work with. */
export interface AppSetupRouteDependencies extends AppRouteDependencies {
  readonly appSetup: AppSetup;
}

/** `/app-setups`: apps that are made as an `app.json` says. */
export function appSetupRoutes(api: FastifyInstance, dependencies: AppSetupRouteDependencies): void {
  const { appRegistry, appSetup } = dependencies;
  const object = (properties: object) => ({ type: ['object', 'null'], properties });
  const requestBody = bodySchema({
    app: object({ name: { type: ['string', 'null'] } }),
    manifest: { type: ['string', 'object'] },
    environment: { type: ['string', 'null'] },
    overrides: object({ env: { type: ['object', 'null'], additionalProperties: { type: 'string' } } }),
    source_blob: {},
  });
  api.post<{ Body: NewSetupRequest | null }>(
    '/app-setups',
    routeSchema('Make an app as an app.json says, all of it or nothing', 'AppSetup', {
      status: 201,
      body: requestBody,
    }),
    async (request, reply) => {
      const { app: wanted, manifest: json, environment, overrides } = request.body ?? {};
      if (json === undefined)
        throw new TailraceError(
          'invalid_params',
          'Give the app.json as "manifest"; the files are pushed to the app afterwards.',
        );
      const text = typeof json === 'string' ? json : JSON.stringify(json);
      const manifest = parseAppManifest(text, environment ?? undefined);
      const env = overrides?.env ?? {};
      applyConfigChange({}, env); // before anything is made
      const app = await createNewApp(dependencies, wanted?.name);
      let notes: string[];
      try {
        notes = await appSetup.apply(app, manifest, env);
      } catch (error) {
        await destroyApp(dependencies, app);
        if (!(error instanceof TailraceError)) throw error;
        throw new TailraceError(error.code, `${error.message} The app ${app.name} was not made.`, {
          cause: error,
        });
      }
      reply.code(201);
      return setupView(app, notes);
    },
  );
  api.get<{ Params: { setup: string } }>(
    '/app-setups/:setup',
    routeSchema('What became of the setup of an app, by the app', 'AppSetup'),
    async (request) => setupView(await getNamedApp(request, appRegistry, request.params.setup), []),
  );

  async function setupView(app: AppRecord, notes: readonly string[]) {
    const record = await appSetup.find(app.id);
    if (!record)
      throw new TailraceError(
        'not_found',
        `Couldn't find that app setup: ${app.name} wasn't made from an app.json.`,
      );
    const { state, exitCode } = record;
    return {
      id: app.id,
      app: { id: app.id, name: app.name },
      build: null,
      environment: null,
      // It is over when postdeploy is.
      status: state === 'waiting' || state === 'running' ? 'pending' : state,
      failure_message: state === 'failed' ? 'The postdeploy script failed.' : null,
      manifest_errors: [],
      postdeploy: exitCode === undefined ? null : { exit_code: exitCode, output: '' },
      resolved_success_url: null,
      notes,
      created_at: app.createdAt,
      updated_at: app.updatedAt,
    };
  }
}
