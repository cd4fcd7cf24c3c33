import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../errors.ts';
import type { Context, DynoView } from './context.ts';
import type { AppRecord } from './directory.ts';

interface AppParams {
  Params: { app: string };
}
interface DynoParams {
  Params: { app: string; dyno: string };
}

/** `/apps/:app/dynos`: what runs, and restarting and stopping it. */
export function dynoRoutes(api: FastifyInstance, context: Context): void {
  const { directory, runner } = context;

  api.get<AppParams>('/apps/:app/dynos', async (request) => {
    const app = await directory.app(request.params.app);
    return runner.dynos(app.id).map((dyno) => dynoView(dyno, app));
  });
  api.delete<AppParams>('/apps/:app/dynos', async (request, reply) => {
    const app = await directory.app(request.params.app);
    await runner.restart(app.id, undefined);
    reply.code(202);
    return {};
  });
  api.delete<DynoParams>('/apps/:app/dynos/:dyno', async (request, reply) => {
    const app = await directory.app(request.params.app);
    const { dyno } = request.params;
    const known = runner.dynos(app.id).some(({ name, type }) => name === dyno || type === dyno);
    if (!known) throw new TailraceError('not_found', "Couldn't find that dyno.");
    await runner.restart(app.id, dyno);
    reply.code(202);
    return {};
  });
}

/** A dyno in the Platform API's shape. */
function dynoView(dyno: DynoView, app: AppRecord) {
  return {
    id: dyno.id,
    name: dyno.name,
    type: dyno.type,
    command: dyno.command,
    size: 'Basic',
    state: dyno.state,
    attach_url: null,
    release: { id: app.id, version: 1 },
    app: { id: app.id, name: app.name },
    created_at: dyno.createdAt,
    updated_at: dyno.updatedAt,
  };
}
