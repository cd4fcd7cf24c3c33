import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../errors.ts';
import { OWNER } from './account.ts';
import type { Context } from './context.ts';
import type { AppRecord } from './directory.ts';

/** `/apps`: create, list, look at, destroy. */
export function appRoutes(api: FastifyInstance, context: Context): void {
  const { directory } = context;
  const view = (app: AppRecord) => appView(app, context.webUrl(app.name));

  const list = async () => (await directory.apps()).map(view);
  api.get('/apps', list);
  api.get('/users/:user/apps', list);
  api.post<{ Body: { name?: unknown } | null }>('/apps', async (request, reply) => {
    const name = request.body?.name || randomName();
    if (typeof name !== 'string') throw new TailraceError('invalid_params', 'Name must be a string.');
    const app = await directory.createApp(name);
    reply.code(201);
    return view(app);
  });
  api.get<{ Params: { app: string } }>('/apps/:app', async (request) =>
    view(await directory.app(request.params.app)),
  );
  api.delete<{ Params: { app: string } }>('/apps/:app', async (request) => {
    const app = await directory.app(request.params.app);
    if (context.runner.dynos(app.id).length > 0)
      throw new TailraceError(
        'conflict',
        `${app.name} is running here: stop it first (Ctrl-C in its \`tailrace start\`).`,
      );
    await directory.destroyApp(app);
    return view(app);
  });
}

/** An app in the Platform API's shape. */
function appView(app: AppRecord, webUrl: string) {
  return {
    id: app.id,
    name: app.name,
    generation: { name: 'cedar' },
    owner: OWNER,
    region: { id: OWNER.id, name: 'localhost' },
    stack: { id: OWNER.id, name: 'local' },
    build_stack: { id: OWNER.id, name: 'local' },
    git_url: null,
    web_url: webUrl,
    created_at: app.createdAt,
    updated_at: app.updatedAt,
    released_at: null,
    archived_at: null,
    maintenance: false,
    slug_size: null,
    repo_size: null,
    space: null,
    team: null,
    process_tier: 'basic',
  };
}

const FIRST = ['clear', 'quiet', 'swift', 'deep', 'still', 'bright', 'cool', 'broad'];
const SECOND = ['brook', 'weir', 'river', 'spring', 'lake', 'sluice', 'mill', 'ford'];

/** A name such as `quiet-weir-48213`. */
function randomName(): string {
  const pick = (list: readonly string[]) => list[Math.floor(Math.random() * list.length)];
  return `${pick(FIRST)}-${pick(SECOND)}-${10_000 + Math.floor(Math.random() * 90_000)}`;
}
