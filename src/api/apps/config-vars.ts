import type { FastifyInstance } from 'fastify';
import type { ReleaseMaker } from '../../apps/host/contract.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import {
  applyConfigChange,
  type ConfigChange,
  describeConfigChange,
  isConfigChanged,
} from '../../apps/records/config-change.ts';
import type { Releases } from '../../apps/records/release-history.ts';
import { attachedNames, type ReleaseRecord } from '../../apps/records/release-record.ts';
import { TailraceError } from '../../common/errors.ts';
import { matchesEtag } from '../../common/http/static-files.ts';
import { needsScope } from '../access/authorize.ts';
import { entityTag } from '../etag.ts';
import { routeSchema } from '../schemas-heroku.ts';

interface AppParams {
  Params: { app: string };
}

/** What these routes work with. */
export interface ConfigVarRouteDependencies {
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
  readonly releaser: ReleaseMaker;
}

/** `/apps/:app/config-vars`: read them, or change several at once, which makes a release. */
export function configVarRoutes(api: FastifyInstance, dependencies: ConfigVarRouteDependencies): void {
  const { appRegistry, releases, releaser } = dependencies;

  const summary = "An app's config vars";
  api.get<AppParams>(
    '/apps/:app/config-vars',
    { ...routeSchema(summary, 'ConfigVars'), ...needsScope('config:read') },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return (await releases.current(app.id)).config;
    },
  );

  const requestBody = { type: 'object', additionalProperties: { type: ['string', 'null'] } };
  api.patch<AppParams & { Body: ConfigChange }>(
    '/apps/:app/config-vars',
    {
      ...routeSchema(
        'Change config vars: all of these or none; null takes one away. With If-Match (the ETag of a GET) only if nobody else has',
        'ConfigVars',
        { body: requestBody },
      ),
      ...needsScope('config:write'),
    },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const change = request.body;
      const expected = request.headers['if-match'];
      const { config } = await releaser.release(app, (current) => {
        if (expected !== undefined && !matchesEtag(expected, entityTag(JSON.stringify(current.config))))
          throw new TailraceError(
            'precondition_failed',
            `Somebody else has changed the config vars of ${app.name} meanwhile: nothing was changed, read them again.`,
          );
        rejectAttachedChange(current, change);
        const changed = applyConfigChange(current.config, change);
        if (!isConfigChanged(current.config, change)) return undefined;
        return { description: describeConfigChange(change), config: changed };
      });
      return config;
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
