/** The e-mail add-on: an SMTP server that keeps what it gets, and an inbox to look at it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CERTIFICATES_FOLDER, type MailSettings } from '../../host/addons/services/mail.ts';
import { EventStream } from '../runtime/event-stream.ts';
import { createServiceServer, servePage } from '../runtime/page-server.ts';
import { logLine, runService } from '../runtime/run-service.ts';
import { mailRoutes } from './mail-routes.ts';
import { Mailbox, type MailboxEvent } from './mailbox.ts';
import { messageView } from './message-views.ts';
import { MailParser } from './parsing/mail-parser.ts';
import { listenForMails } from './smtp-listener.ts';

/** As Mailgun has it. */
const MESSAGE_BYTES_MAX = 25_000_000;
const LIMITS = { messagesMax: 1_000, bytesMax: 250_000_000 };

void runService<MailSettings>(async (settings) => {
  const events = new EventStream<unknown>();
  let hasDropped = false;
  const mailbox: Mailbox = await Mailbox.open({
    folder: '.',
    messageBytesMax: MESSAGE_BYTES_MAX,
    ...LIMITS,
    onEvent: (event) => events.send(eventView(event)),
    onDropped: () => {
      if (!hasDropped)
        logLine(
          'warning',
          `the mailbox is full (${LIMITS.messagesMax} mails, ${LIMITS.bytesMax / 1e6} MB): the oldest mails are deleted from now on`,
        );
      hasDropped = true;
    },
  });
  const parser = new MailParser();
  const page = createServiceServer();
  await servePage(page, { page: 'mail', key: settings.password, hasFrames: true }, (pages) =>
    mailRoutes(pages, { name: settings.name, mailbox, parser, events, limits: LIMITS }),
  );
  // Before apps are told that it is there.
  await page.listen({ port: settings.pagePort, host: '127.0.0.1' });
  const smtp = await listenForMails({
    port: settings.port,
    login: settings.login,
    password: settings.loginPassword,
    messageBytesMax: MESSAGE_BYTES_MAX,
    tls: settings.hasTls ? readCertificate() : undefined,
    mailbox,
  });
  return {
    close: async () => {
      await smtp.close();
      events.close();
      await page.close();
      await parser.close();
      await mailbox.close();
    },
  };
});

function readCertificate(): { key: string; cert: string } {
  const read = (name: string): string => readFileSync(join(CERTIFICATES_FOLDER, name), 'utf8');
  return { key: read('server.key'), cert: read('server.pem') };
}

function eventView(event: MailboxEvent): object {
  return event.type === 'deleted' ? event : { type: event.type, message: messageView(event.mail) };
}
