import type { FastifyInstance, FastifyRequest } from 'fastify';
import { getNamedApp } from '../access/authorize.ts';
import { stringOrNull } from '../schema-builder.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { type AddonRouteDependencies, addonScene } from './addon-scene.ts';
import { matchAttachments, requireAddon, requireAttachment } from './find-addon.ts';
import { attachmentView } from './views.ts';

interface AppParams {
  Params: { app: string };
}
/** By name or id, as the client has it. */
type Reference = string | { readonly name?: string | null; readonly id?: string | null };
interface NewAttachmentRequest {
  readonly addon: Reference;
  readonly app: Reference;
  readonly name?: string | null;
  readonly confirm?: string | null;
}

/** `/addon-attachments`: the add-ons that apps have, attach, detach. */
export function attachmentRoutes(api: FastifyInstance, dependencies: AddonRouteDependencies): void {
  const { appRegistry, addons } = dependencies;
  const sceneFor = (request: FastifyRequest) => addonScene(dependencies, request);

  api.get(
    '/addon-attachments',
    routeSchema('List attachments', 'Attachment', { many: true }),
    async (request) => {
      const scene = await sceneFor(request);
      return scene.attachments.map((attachment) => attachmentView(scene, attachment));
    },
  );
  api.get<AppParams>(
    '/apps/:app/addon-attachments',
    routeSchema("List an app's attachments", 'Attachment', { many: true }),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const scene = await sceneFor(request);
      return scene.attachments
        .filter((attachment) => attachment.app === app.id)
        .map((attachment) => attachmentView(scene, attachment));
    },
  );
  api.get<{ Params: { addon: string } }>(
    '/addons/:addon/addon-attachments',
    routeSchema("List an add-on's attachments", 'Attachment', { many: true }),
    async (request) => {
      const scene = await sceneFor(request);
      const { id } = requireAddon(scene, request.params.addon);
      return scene.attachments
        .filter(({ addon }) => addon === id)
        .map((attachment) => attachmentView(scene, attachment));
    },
  );

  const reference = { type: ['string', 'object'], properties: { id: stringOrNull, name: stringOrNull } };
  const newAttachment = bodySchema(
    {
      addon: reference,
      app: reference,
      name: { type: ['string', 'null'] },
      confirm: { type: ['string', 'null'] },
      namespace: { type: ['string', 'null'] },
    },
    ['addon', 'app'],
  );
  api.post<{ Body: NewAttachmentRequest }>(
    '/addon-attachments',
    routeSchema('Attach an add-on to an app', 'Attachment', { status: 201, body: newAttachment }),
    async (request, reply) => {
      const { addon: which, app: appReference, name, confirm } = request.body;
      const app = await getNamedApp(request, appRegistry, referenceName(appReference));
      const addon = requireAddon(await sceneFor(request), referenceName(which));
      const attachment = await addons.attach(app, addon, {
        as: name || undefined,
        confirm: confirm ?? undefined,
      });
      reply.code(201);
      return attachmentView(await sceneFor(request), attachment);
    },
  );

  interface AttachmentParams {
    Params: { app?: string; attachment: string };
  }
  for (const path of ['/addon-attachments/:attachment', '/apps/:app/addon-attachments/:attachment']) {
    const found = async (request: FastifyRequest<AttachmentParams>) => {
      const { app, attachment } = request.params;
      const scene = await sceneFor(request);
      const appId = app === undefined ? undefined : (await appRegistry.getApp(app)).id;
      return { scene, attachment: requireAttachment(scene, attachment, appId) };
    };
    api.get<AttachmentParams>(path, routeSchema('Look at an attachment', 'Attachment'), async (request) => {
      const { scene, attachment } = await found(request);
      return attachmentView(scene, attachment);
    });
    api.delete<AttachmentParams>(
      path,
      routeSchema('Detach an add-on from an app', 'Attachment'),
      async (request) => {
        const { scene, attachment } = await found(request);
        await addons.detach(attachment);
        return attachmentView(scene, attachment);
      },
    );
  }

  interface ResolveRequest {
    readonly addon_attachment: string;
    readonly app?: string | null;
    readonly addon_service?: string | null;
  }
  const resolveBody = bodySchema(
    {
      addon_attachment: { type: 'string' },
      app: { type: ['string', 'null'] },
      addon_service: { type: ['string', 'null'] },
    },
    ['addon_attachment'],
  );
  api.post<{ Body: ResolveRequest }>(
    '/actions/addon-attachments/resolve',
    routeSchema('Find attachments by what was typed', 'Attachment', { many: true, body: resolveBody }),
    async (request) => {
      const { addon_attachment: which, app, addon_service: service } = request.body;
      const scene = await sceneFor(request);
      const appId = app ? (await getNamedApp(request, appRegistry, app)).id : undefined;
      const matches = matchAttachments(scene, which, appId)
        .map((attachment) => attachmentView(scene, attachment))
        .filter((view) => !service || view.addon_service.name === service);
      // Refuses when there is none; several are for the client to choose from.
      if (matches.length === 0) requireAttachment(scene, which, appId);
      return matches;
    },
  );
}

function referenceName(reference: Reference): string {
  if (typeof reference === 'string') return reference;
  return reference.id ?? reference.name ?? '';
}
