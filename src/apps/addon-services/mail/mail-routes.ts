/** What the inbox page and users' own tests ask for: `api/…`. */
import { createReadStream } from 'node:fs';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { TailraceError } from '../../../common/errors.ts';
import type { MailStatus } from '../../host/addons/services/mail.ts';
import type { EventStream } from '../runtime/event-stream.ts';
import type { Mailbox } from './mailbox.ts';
import { listQuery, matchesQuery, messageView } from './message-views.ts';
import { FRAME_SECURITY_HEADERS, wantsRemoteContent } from './parsing/frame-document.ts';
import type { MailParser } from './parsing/mail-parser.ts';

export interface MailRouteDependencies {
  readonly name: string;
  readonly mailbox: Mailbox;
  readonly parser: MailParser;
  readonly events: EventStream<unknown>;
  readonly limits: { readonly messagesMax: number; readonly bytesMax: number };
}

interface MessageParams {
  Params: { id: string; number: string };
}

/** What a browser may show in a tab of its own, if it is asked to; everything else is bytes. */
const SAFE_TYPES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'text/plain', 'application/pdf'];
/** Nothing of what was sent is a page. */
const DOWNLOAD_HEADERS = { 'Content-Security-Policy': "default-src 'none'; sandbox" };

export function mailRoutes(server: FastifyInstance, dependencies: MailRouteDependencies): void {
  const { name, mailbox, parser, events, limits } = dependencies;

  server.get(
    '/api/status',
    async (): Promise<MailStatus> => ({
      name,
      messages: mailbox.count,
      unread: mailbox.unread,
      bytes: mailbox.bytes,
      dropped: mailbox.dropped,
      messages_max: limits.messagesMax,
      bytes_max: limits.bytesMax,
    }),
  );

  server.get('/api/events', (request, reply) => events.open(request, reply));

  server.get('/api/messages', async ({ query }) => {
    const wanted = listQuery(query as Record<string, unknown>);
    const found = mailbox.list().filter((mail) => matchesQuery(mail, wanted));
    return {
      total: found.length,
      messages: found.slice(0, wanted.limit).map(messageView),
    };
  });

  server.get<MessageParams>('/api/messages/:id', async ({ params }) => {
    const view = messageView(mailbox.get(params.id));
    try {
      const { html, ...parsed } = await parser.parse(mailbox.file(params.id));
      return {
        ...view,
        ...parsed,
        html: html === '' ? null : html,
        has_remote_content: wantsRemoteContent(html),
        problem: null,
        attachments: parsed.attachments.map(({ isInline, ...attachment }, number) => ({
          number,
          ...attachment,
          inline: isInline,
        })),
      };
    } catch (error) {
      if (!(error instanceof TailraceError) || error.code !== 'invalid_params') throw error;
      const nothing = { text: '', html: null, headers: [], attachments: [], links: [] };
      return { ...view, ...nothing, has_remote_content: false, problem: error.message };
    }
  });

  server.get<MessageParams>('/api/messages/:id/html', async ({ params }, reply) => {
    const document = await parser.frame(mailbox.file(params.id));
    return reply.headers(FRAME_SECURITY_HEADERS).type('text/html; charset=utf-8').send(document);
  });

  server.get<MessageParams>('/api/messages/:id/raw', async ({ params }, reply) => {
    const { path, offset } = mailbox.file(params.id);
    const { size } = mailbox.get(params.id);
    reply.headers({ ...DOWNLOAD_HEADERS, 'Content-Length': size });
    attach(reply, `${params.id}.eml`);
    return reply.type('message/rfc822').send(createReadStream(path, { start: offset }));
  });

  server.get<MessageParams>('/api/messages/:id/attachments/:number', async ({ params }, reply) => {
    const number = /^\d{1,4}$/.test(params.number) ? Number(params.number) : -1;
    const found = await parser.attachment(mailbox.file(params.id), number);
    if (!found) throw new TailraceError('not_found', 'This mail has no such attachment.');
    reply.headers(DOWNLOAD_HEADERS);
    attach(reply, found.name || `attachment-${number}`);
    const type = SAFE_TYPES.includes(found.type) ? found.type : 'application/octet-stream';
    return reply
      .type(type === 'text/plain' ? 'text/plain; charset=utf-8' : type)
      .send(Buffer.from(found.content.buffer, found.content.byteOffset, found.content.byteLength));
  });

  server.patch<MessageParams & { Body: { read?: unknown } | null }>(
    '/api/messages/:id',
    async ({ params, body }) => {
      if (typeof body?.read !== 'boolean')
        throw new TailraceError('invalid_params', 'Say {"read": true} or {"read": false}.');
      return messageView(mailbox.setRead(params.id, body.read));
    },
  );

  server.delete<MessageParams>('/api/messages/:id', async ({ params }, reply) => {
    await mailbox.delete(params.id);
    return reply.code(204).send();
  });

  server.delete('/api/messages', async () => ({ deleted: await mailbox.deleteAll() }));
}

/** To be stored, with its name (RFC 6266, RFC 8187), whatever it is. */
function attach(reply: FastifyReply, name: string): void {
  const plain = name.replace(/[^\w. -]/g, '_');
  const encoded = encodeURIComponent(Buffer.from(name).toString()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  reply.header('Content-Disposition', `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`);
}
