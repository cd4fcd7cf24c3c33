import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../errors.ts';
import { Priority } from '../router/announcer.ts';
import { OWNER } from './account.ts';
import type { Context } from './context.ts';
import type { AppRecord } from './directory.ts';

interface AppParams {
  Params: { app: string };
}
interface Update {
  readonly type?: string;
  /** A number, or a string as the official CLI sends it: `2`, `+1`, `-1`. */
  readonly quantity?: string | number;
}

/** `/apps/:app/formation`: how many dynos of each process type are wanted. */
export function formationRoutes(api: FastifyInstance, context: Context): void {
  const { directory, runner, announcer } = context;
  const view = (app: AppRecord) =>
    runner.formation(app.id).map((process) => ({
      id: `${app.id}-${process.type}`,
      type: process.type,
      quantity: process.quantity,
      size: 'Basic',
      command: process.command,
      app: { id: app.id, name: app.name },
      created_at: app.createdAt,
      updated_at: app.updatedAt,
    }));

  api.get<AppParams>('/apps/:app/formation', async (request) =>
    view(await directory.app(request.params.app)),
  );

  api.patch<AppParams & { Body: { updates?: readonly Update[] } | null }>(
    '/apps/:app/formation',
    async (request) => {
      const app = await directory.app(request.params.app);
      const wanted = (request.body?.updates ?? []).map((update) => resolveUpdate(update, view(app)));
      for (const { type, quantity } of wanted) await runner.scale(app.id, type, quantity);
      const shown = wanted.map(({ type, quantity }) => `${type}@${quantity}:Basic`).join(' ');
      if (shown)
        announcer.announce(app.id, 'app', 'api', Priority.api, `Scaled to ${shown} by user ${OWNER.email}`);
      return view(app);
    },
  );
}

function resolveUpdate(
  { type, quantity }: Update,
  current: readonly { type: string; quantity: number }[],
): { type: string; quantity: number } {
  const process = current.find((one) => one.type === type);
  if (!process)
    throw new TailraceError(
      'not_found',
      `Couldn't find that process type (${type}); there are: ${current.map((one) => one.type).join(', ') || 'none running here'}.`,
    );
  const text = String(quantity ?? '');
  if (!/^[+-]?\d{1,4}$/.test(text))
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
  return { type: process.type, quantity: absolute };
}
