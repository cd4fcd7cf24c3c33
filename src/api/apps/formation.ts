import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { DynoRunner, FormationEntry } from '../../apps/host/contract.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { DEFAULT_DYNO_SIZE, loadDynoSizes, parseDynoSize } from '../../apps/records/dyno-sizes.ts';
import { changeFormation, type FormationChange } from '../../apps/records/formation-record.ts';
import type { Releases } from '../../apps/records/release-history.ts';
import { TailraceError } from '../../common/errors.ts';
import { PlatformLinePriority, type PlatformLog } from '../../logs/router/platform-log.ts';
import type { Store } from '../../logs/store/contract.ts';
import { actorOf, needsScope } from '../access/authorize.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

interface AppParams {
  Params: { app: string };
}
interface FormationUpdate {
  readonly type: string;
  /** A number, or a string as the official CLI sends it: `2`, `+1`, `-1`. */
  readonly quantity?: string | number;
  readonly size?: string | null;
  readonly dyno_size?: { readonly name: string } | string | null;
}

/** What these routes work with. */
export interface FormationRouteDependencies {
  readonly appRegistry: AppRegistry;
  readonly dynoRunner: DynoRunner;
  readonly platformLog: PlatformLog;
  readonly releases: Releases;
  readonly store: Store;
}

const PROCESS_TYPE_NAME = /^(?!__proto__$)[A-Za-z0-9_-]{1,64}$/;
const TYPES_MAX = 100;

const update = {
  quantity: { type: ['string', 'integer'] },
  size: { type: ['string', 'null'] },
  dyno_size: {
    type: ['string', 'object', 'null'],
    properties: { name: { type: 'string' } },
    required: ['name'],
  },
};
const UPDATES_BODY = bodySchema(
  {
    updates: {
      type: 'array',
      maxItems: TYPES_MAX,
      items: { type: 'object', required: ['type'], properties: { type: { type: 'string' }, ...update } },
    },
  },
  ['updates'],
);

/** `/apps/:app/formation`: the desired number of dynos of each process type. */
export function formationRoutes(api: FastifyInstance, dependencies: FormationRouteDependencies): void {
  const { appRegistry } = dependencies;

  api.get<AppParams>(
    '/apps/:app/formation',
    {
      ...routeSchema('How many dynos of each process type are wanted', 'Formation', { many: true }),
      ...needsScope('dynos:read'),
    },
    async (request, reply) =>
      paginate(
        request,
        reply,
        await formationViews(dependencies, await appRegistry.getApp(request.params.app)),
        ['type', 'id'],
      ),
  );

  api.get<AppParams & { Params: { type: string } }>(
    '/apps/:app/formation/:type',
    {
      ...routeSchema('How many dynos of one process type are wanted', 'Formation'),
      ...needsScope('dynos:read'),
    },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const found = (await formationViews(dependencies, app)).find(
        ({ type }) => type === request.params.type,
      );
      if (!found) throw new TailraceError('not_found', "Couldn't find that process type.");
      return found;
    },
  );

  api.patch<AppParams & { Body: { updates: readonly FormationUpdate[] } | null }>(
    '/apps/:app/formation',
    {
      ...routeSchema('Scale: all of these or none', 'Formation', { many: true, body: UPDATES_BODY }),
      ...needsScope('dynos:write'),
    },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const types = await scale(dependencies, request, app, request.body?.updates ?? []);
      return (await formationViews(dependencies, app)).filter(({ type }) => types.includes(type));
    },
  );

  api.put<AppParams & { Body: { updates: readonly FormationUpdate[] } | null }>(
    '/apps/:app/formation',
    {
      ...routeSchema('Say what an app starts with when it is deployed for the first time', 'Empty', {
        body: UPDATES_BODY,
      }),
      ...needsScope('dynos:write'),
    },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      await setFirstFormation(dependencies, app, request.body?.updates ?? []);
      return {};
    },
  );

  api.patch<AppParams & { Params: { type: string }; Body: Omit<FormationUpdate, 'type'> | null }>(
    '/apps/:app/formation/:type',
    {
      ...routeSchema('Scale one process type', 'Formation', { body: bodySchema(update) }),
      ...needsScope('dynos:write'),
    },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const { type } = request.params;
      await scale(dependencies, request, app, [{ ...request.body, type }]);
      return (await formationViews(dependencies, app)).find((view) => view.type === type);
    },
  );
}

async function formationViews({ dynoRunner, store }: FormationRouteDependencies, app: AppRecord) {
  const sizes = await loadDynoSizes(store, app.id);
  return dynoRunner.formation(app.id).map((process) => ({
    id: `${app.id}-${process.type}`,
    type: process.type,
    quantity: process.quantity,
    size: sizes[process.type] ?? DEFAULT_DYNO_SIZE,
    dyno_size: { name: sizes[process.type] ?? DEFAULT_DYNO_SIZE },
    command: process.command,
    app: { id: app.id, name: app.name },
    created_at: app.createdAt,
    updated_at: app.updatedAt,
  }));
}

/** @returns the process types that were named */
async function scale(
  { dynoRunner, platformLog, store }: FormationRouteDependencies,
  request: FastifyRequest,
  app: AppRecord,
  updates: readonly FormationUpdate[],
): Promise<string[]> {
  const resolve = (current: readonly FormationEntry[]) =>
    updates.map((update) => resolveUpdate(update, current));
  // What can't be is refused at once, however long earlier changes take.
  let resolved = resolve(dynoRunner.formation(app.id));
  if (resolved.length === 0) return [];
  await dynoRunner.scale(app.id, (current) => {
    // `+1` of what others have made of it meanwhile.
    resolved = resolve(current);
    return changeOf(resolved);
  });
  const sizes = await loadDynoSizes(store, app.id);
  const shown = resolved
    .map(({ type, quantity }) => `${type}@${quantity}:${sizes[type] ?? DEFAULT_DYNO_SIZE}`)
    .join(' ');
  platformLog.write(
    app.id,
    'app',
    'api',
    PlatformLinePriority.api,
    `Scaled to ${shown} by user ${actorOf(request)}`,
  );
  return resolved.map(({ type }) => type);
}

/** Before there is a Procfile nobody knows which types there will be: what isn't in it is left alone then. */
async function setFirstFormation(
  { dynoRunner, releases, store }: FormationRouteDependencies,
  app: AppRecord,
  updates: readonly FormationUpdate[],
): Promise<void> {
  if ((await releases.current(app.id)).slug !== null || dynoRunner.formation(app.id).length > 0)
    throw new TailraceError(
      'conflict',
      `${app.name} is deployed already: change its formation with ps:scale and ps:type.`,
    );
  for (const { type } of updates)
    if (!PROCESS_TYPE_NAME.test(type))
      throw new TailraceError('invalid_params', `"${type.slice(0, 64)}" can't be a process type.`);
  await changeFormation(store, app.id, (counts) => {
    const resolved = updates.map((one) => {
      const quantity = Object.hasOwn(counts, one.type) ? counts[one.type] : 0;
      return resolveUpdate(one, [{ type: one.type, quantity }]);
    });
    if (new Set([...Object.keys(counts), ...resolved.map(({ type }) => type)]).size > TYPES_MAX)
      throw new TailraceError('invalid_params', `An app may start with ${TYPES_MAX} process types at most.`);
    return changeOf(resolved);
  });
}

function changeOf(
  resolved: readonly { type: string; quantity: number; size: string | undefined }[],
): FormationChange {
  return {
    counts: Object.fromEntries(resolved.map(({ type, quantity }) => [type, quantity])),
    sizes: Object.fromEntries(
      resolved.flatMap(({ type, size }) => (size === undefined ? [] : [[type, size]])),
    ),
  };
}

function resolveUpdate(
  { type, quantity, size: typed, dyno_size: also }: FormationUpdate,
  current: readonly { type: string; quantity: number }[],
): { type: string; quantity: number; size: string | undefined } {
  const process = current.find((one) => one.type === type);
  if (!process)
    throw new TailraceError(
      'not_found',
      `Couldn't find that process type (${type}); there are: ${current.map((one) => one.type).join(', ') || 'none running here'}.`,
    );
  const named = typed ?? (typeof also === 'object' ? also?.name : also);
  const size = named === undefined || named === null ? undefined : parseDynoSize(named);
  if (quantity === undefined) return { type, quantity: process.quantity, size };
  const text = String(quantity);
  if (!/^[+-]?\d{1,6}$/.test(text))
    throw new TailraceError(
      'invalid_params',
      `"${text}" is not a number of dynos: write ${type}=2, ${type}+1 or ${type}-1.`,
    );
  const absolute = /^[+-]/.test(text) ? process.quantity + Number(text) : Number(text);
  if (absolute < 0 || absolute > 100)
    throw new TailraceError(
      'invalid_params',
      `Cannot scale ${type} to ${absolute}: from 0 to 100 dynos of a type can run.`,
    );
  return { type, quantity: absolute, size };
}
