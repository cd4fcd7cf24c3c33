/** The SMTP server (RFC 5321) that apps send to: on loopback, for the add-on's login alone. */

import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { systemCode, TailraceError } from '../../../common/errors.ts';
import { isSameSecret } from '../../../common/secret-comparison.ts';
import { errorMessage } from '../../../common/text/error-message.ts';
import { RepeatedWarning } from '../runtime/repeated-warning.ts';
import { logLine } from '../runtime/run-service.ts';
import { mailLine, visible } from './mail-line.ts';
import type { Mailbox } from './mailbox.ts';

export interface SmtpListenerOptions {
  readonly port: number;
  readonly login: string;
  readonly password: string;
  readonly messageBytesMax: number;
  /** For STARTTLS (RFC 3207); left out: it isn't offered. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly mailbox: Mailbox;
}

/** RFC 5321 section 4.5.3.1.8 asks for no less. */
const RECIPIENTS_MAX = 100;
const CONNECTIONS_MAX = 100;
/** Section 4.5.3.2 asks senders to wait for longer; nobody on this machine is that slow. */
const IDLE_TIMEOUT_MS = 60_000;
const CLOSE_TIMEOUT_MS = 3_000;
const NAME_LENGTH_MAX = 60;
/** Where there is no IPv6, there is no `::1`. */
const HOSTS = ['127.0.0.1', '::1'];

/** Listens on both addresses of `localhost`. @returns how to end: who sends a mail may finish */
export async function listenForMails(options: SmtpListenerOptions): Promise<{ close(): Promise<void> }> {
  const servers: SMTPServer[] = [];
  for (const host of HOSTS) {
    const server = new SMTPServer(serverOptions(options));
    try {
      await listen(server, options.port, host);
      servers.push(server);
    } catch (error) {
      if (host === '::1' && ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(systemCode(error))) continue;
      throw error;
    }
  }
  return {
    close: async () => {
      await Promise.all(
        servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
      );
    },
  };
}

function listen(server: SMTPServer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      // Of single connections: their clients know.
      server.on('error', () => undefined);
      resolve();
    });
  });
}

function serverOptions(options: SmtpListenerOptions): SMTPServerOptions {
  const { login, password, messageBytesMax, tls, mailbox } = options;
  const refusedLogins = new RepeatedWarning();
  const refusedMails = new RepeatedWarning();
  return {
    name: 'localhost',
    banner: 'Tailrace: every mail is kept here, and goes nowhere',
    size: messageBytesMax,
    maxClients: CONNECTIONS_MAX,
    socketTimeout: IDLE_TIMEOUT_MS,
    closeTimeout: CLOSE_TIMEOUT_MS,
    disableReverseLookup: true,
    authMethods: ['PLAIN', 'LOGIN', 'CRAM-MD5'],
    // It never leaves the machine.
    allowInsecureAuth: true,
    ...(tls ?? { disabledCommands: ['STARTTLS'] }),
    onAuth: (auth, _session, done) => {
      const given = auth.username ?? '';
      const isRight =
        isSameSecret(given, login) &&
        (auth.method === 'CRAM-MD5'
          ? auth.validatePassword(password) || auth.validatePassword(login)
          : // Postmark has one token for both.
            isSameSecret(auth.password ?? '', password) || isSameSecret(auth.password ?? '', login));
      if (isRight) return done(null, { user: 'app' });
      const who = isSameSecret(given, login)
        ? 'the right name and a wrong password'
        : `"${visible(given, NAME_LENGTH_MAX)}", which is not its login`;
      refusedLogins.write(`refused a login with ${who}: the app's config vars have both`);
      done(refusal(535, "Authentication failed: use the login of the add-on's config vars"));
    },
    onMailFrom: (_address, _session, done) => done(),
    onRcptTo: (_address, session, done) => {
      if (session.envelope.rcptTo.length < RECIPIENTS_MAX) return done();
      done(refusal(452, `Too many recipients: one mail is taken for up to ${RECIPIENTS_MAX}`));
    },
    onData: (stream, session, done) => {
      const { mailFrom, rcptTo } = session.envelope;
      const envelope = {
        from: mailFrom ? mailFrom.address : '',
        to: rcptTo.map(({ address }) => address),
      };
      mailbox.add(envelope, stream as AsyncIterable<Buffer>).then(
        (mail) => {
          logLine('info', mailLine(mail));
          done(null, `Kept as ${mail.id}`);
        },
        (error: unknown) => {
          const isTooLarge = error instanceof TailraceError && error.code === 'too_large';
          const said = errorMessage(error);
          refusedMails.write(
            `a mail from <${visible(envelope.from, NAME_LENGTH_MAX)}> was not taken: ${said}`,
          );
          if (isTooLarge) done(refusal(552, said));
          else
            done(refusal(452, `It could not be stored, try again: ${systemCode(error) || 'unknown error'}`));
        },
      );
    },
  };
}

function refusal(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
