import type { FastifyInstance } from 'fastify';
import type { AppRecord } from '../../apps/records/directory.ts';
import { sizeNamed, sizesOf, USUAL_SIZE } from '../../apps/records/dyno-sizes.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import { Priority } from '../../logs/router/announcer.ts';
import type { Context } from '../context.ts';
import { onePage } from '../page-range.ts';
import { body, describe } from '../shapes.ts';

interface AppParams {
  Params: { app: string };
}
interface Update {
  readonly type: string;
  /** A number, or a string as the official CLI sends it: `2`, `+1`, `-1`. */
  readonly quantity?: string | number;
  readonly size?: string | null;
  readonly dyno_size?: { readonly name: string } | string | null;
}

/** `/apps/:app/formation`: how many dynos of each process type are wanted. */
export function formationRoutes(api: FastifyInstance, context: Context): void {
  const { directory, runner, announcer, store } = context;
  const views = async (app: AppRecord) => {
    const sizes = await sizesOf(store, app.id);
    return runner.formation(app.id).map((process) => ({
      id: `${app.id}-${process.type}`,
      type: process.type,
      quantity: process.quantity,
      size: sizes[process.type] ?? USUAL_SIZE,
      dyno_size: { name: sizes[process.type] ?? USUAL_SIZE },
      command: process.command,
      app: { id: app.id, name: app.name },
      created_at: app.createdAt,
      updated_at: app.updatedAt,
    }));
  };

  async function scale(app: AppRecord, updates: readonly Update[]): Promise<string[]> {
    const current = runner.formation(app.id);
    const wanted = updates.map((update) => resolveUpdate(update, current));
    if (wanted.length === 0) return [];
    await runner.scale(
      app.id,
      Object.fromEntries(wanted.map(({ type, quantity }) => [type, quantity])),
      Object.fromEntries(wanted.flatMap(({ type, size }) => (size === undefined ? [] : [[type, size]]))),
    );
    const sizes = await sizesOf(store, app.id);
    const shown = wanted
      .map(({ type, quantity }) => `${type}@${quantity}:${sizes[type] ?? USUAL_SIZE}`)
      .join(' ');
    announcer.announce(app.id, 'app', 'api', Priority.api, `Scaled to ${shown} by user ${OWNER.email}`);
    return wanted.map(({ type }) => type);
  }

  api.get<AppParams>(
    '/apps/:app/formation',
    describe('How many dynos of each process type are wanted', 'Formation', { many: true }),
    async (request, reply) =>
      onePage(request, reply, await views(await directory.app(request.params.app)), ['type', 'id']),
  );

  api.get<AppParams & { Params: { type: string } }>(
    '/apps/:app/formation/:type',
    describe('How many dynos of one process type are wanted', 'Formation'),
    async (request) => {
      const app = await directory.app(request.params.app);
      const found = (await views(app)).find(({ type }) => type === request.params.type);
      if (!found) throw new TailraceError('not_found', "Couldn't find that process type.");
      return found;
    },
  );

  const update = {
    quantity: { type: ['string', 'integer'] },
    size: { type: ['string', 'null'] },
    dyno_size: {
      type: ['string', 'object', 'null'],
      properties: { name: { type: 'string' } },
      required: ['name'],
    },
  };
  const updates = body(
    {
      updates: {
        type: 'array',
        maxItems: 100,
        items: { type: 'object', required: ['type'], properties: { type: { type: 'string' }, ...update } },
      },
    },
    ['updates'],
  );
  api.patch<AppParams & { Body: { updates: readonly Update[] } | null }>(
    '/apps/:app/formation',
    describe('Scale: all of these or none', 'Formation', { many: true, body: updates }),
    async (request) => {
      const app = await directory.app(request.params.app);
      const types = await scale(app, request.body?.updates ?? []);
      return (await views(app)).filter(({ type }) => types.includes(type));
    },
  );

  api.patch<AppParams & { Params: { type: string }; Body: Omit<Update, 'type'> | null }>(
    '/apps/:app/formation/:type',
    describe('Scale one process type', 'Formation', { body: body(update) }),
    async (request) => {
      const app = await directory.app(request.params.app);
      const { type } = request.params;
      await scale(app, [{ ...request.body, type }]);
      return (await views(app)).find((view) => view.type === type);
    },
  );
}

function resolveUpdate(
  { type, quantity, size: typed, dyno_size: also }: Update,
  current: readonly { type: string; quantity: number }[],
): { type: string; quantity: number; size: string | undefined } {
  const process = current.find((one) => one.type === type);
  if (!process)
    throw new TailraceError(
      'not_found',
      `Couldn't find that process type (${type}); there are: ${current.map((one) => one.type).join(', ') || 'none running here'}.`,
    );
  const named = typed ?? (typeof also === 'object' ? also?.name : also);
  const size = named === undefined || named === null ? undefined : sizeNamed(named);
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
