import type { FastifyInstance, FastifyReply } from 'fastify';
import type { DynoView } from '../../apps/host/contract.ts';
import type { AppRecord } from '../../apps/records/directory.ts';
import { type SizesRecord, sizesOf, USUAL_SIZE } from '../../apps/records/dyno-sizes.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Context } from '../context.ts';
import { onePage } from '../page-range.ts';
import { body, describe } from '../shapes.ts';

interface AppParams {
  Params: { app: string };
}
interface DynoParams {
  Params: { app: string; dyno: string };
}

/** `/apps/:app/dynos`: what runs, and restarting and stopping it. */
export function dynoRoutes(api: FastifyInstance, context: Context): void {
  const { directory, runner, store } = context;

  api.get<AppParams>(
    '/apps/:app/dynos',
    describe("List an app's dynos", 'Dyno', { many: true }),
    async (request, reply) => {
      const app = await directory.app(request.params.app);
      const sizes = await sizesOf(store, app.id);
      const views = runner.dynos(app.id).map((dyno) => dynoView(dyno, app, sizes));
      return onePage(request, reply, views, ['name', 'id']);
    },
  );
  api.get<DynoParams>('/apps/:app/dynos/:dyno', describe('Look at a dyno', 'Dyno'), async (request) => {
    const app = await directory.app(request.params.app);
    const { dyno } = request.params;
    const running = runner.dynos(app.id).find(({ name, id }) => name === dyno || id === dyno);
    const found = running ?? runner.oneOff(app.id, dyno);
    if (!found) throw new TailraceError('not_found', "Couldn't find that dyno.");
    return dynoView(found, app, await sizesOf(store, app.id));
  });

  api.delete<AppParams>('/apps/:app/dynos', accepted('Restart all dynos'), async (request, reply) => {
    const app = await directory.app(request.params.app);
    return begun(app, reply, runner.restart(app.id, undefined));
  });
  api.delete<DynoParams>('/apps/:app/dynos/:dyno', accepted('Restart a dyno'), async (request, reply) => {
    const app = await known(request.params);
    return begun(app, reply, runner.restart(app.id, request.params.dyno));
  });
  api.delete<DynoParams>(
    '/apps/:app/formations/:dyno',
    accepted('Restart the dynos of a process type'),
    async (request, reply) => {
      const app = await known(request.params);
      return begun(app, reply, runner.restart(app.id, request.params.dyno));
    },
  );
  for (const path of ['/apps/:app/dynos/:dyno/actions/stop', '/apps/:app/formations/:dyno/actions/stop'])
    api.post<DynoParams>(
      path,
      accepted('Stop a dyno, or those of a process type', body({})),
      async (request, reply) => {
        const app = await known(request.params);
        return begun(app, reply, runner.stop(app.id, request.params.dyno));
      },
    );

  async function known({ app: which, dyno }: DynoParams['Params']): Promise<AppRecord> {
    const app = await directory.app(which);
    const isThere = runner.dynos(app.id).some(({ name, type }) => name === dyno || type === dyno);
    if (!isThere) throw new TailraceError('not_found', "Couldn't find that dyno.");
    return app;
  }

  /** Answers at once: a dyno may take half a minute to end. What comes of it is in the stream. */
  function begun({ name }: AppRecord, reply: FastifyReply, work: Promise<void>): object {
    work.catch((error: unknown) =>
      context.warn({ app: name, err: error }, 'a dyno could not be restarted or stopped'),
    );
    reply.code(202);
    return {};
  }
}

function accepted(summary: string, wanted?: ReturnType<typeof body>) {
  return describe(summary, 'Empty', { status: 202, body: wanted });
}

/** A dyno in the Platform API's shape. */
export function dynoView(
  dyno: DynoView,
  app: AppRecord,
  sizes: SizesRecord,
  attachUrl: string | null = null,
) {
  return {
    id: dyno.id,
    name: dyno.name,
    type: dyno.type,
    command: dyno.command,
    size: sizes[dyno.type] ?? USUAL_SIZE,
    state: dyno.state,
    attach_url: attachUrl,
    exit_status: dyno.status ?? null,
    release: { id: app.id, version: dyno.version },
    app: { id: app.id, name: app.name },
    created_at: dyno.createdAt,
    updated_at: dyno.updatedAt,
  };
}
