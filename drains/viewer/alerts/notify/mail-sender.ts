/** Notifications by e-mail, over the SMTP server that the viewer was given. */

import type { Transporter } from 'nodemailer';
import { TailraceError } from '../../../../src/common/errors.ts';
import { errorMessage } from '../../../../src/common/text/error-message.ts';
import type { AlertEvent } from '../records/alert-records.ts';
import { isMailSender } from '../records/mail-address.ts';
import { NotificationError } from './http-sender.ts';
import { lineText, lineUrl, oneLine, searchUrl, summaryOf, titleOf } from './message.ts';

const TIMEOUT_MS = 20_000;
const PORTS: Readonly<Record<string, number>> = { 'smtp:': 587, 'smtps:': 465 };

export interface MailSettings {
  /** `smtps://user:password@host:465` or `smtp://host:587`; '' for none. */
  readonly smtpUrl: string;
  readonly from: string;
}

/**
 * Reads the address of an SMTP server.
 * @throws TailraceError `settings`
 */
export function parseSmtpUrl(text: string): {
  host: string;
  port: number;
  secure: boolean;
  requireTLS: boolean;
  auth?: { user: string; pass: string };
} {
  try {
    const url = new URL(text);
    const port = PORTS[url.protocol];
    if (port === undefined || url.hostname === '') throw new Error('not SMTP');
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const isHere = host === 'localhost' || host === '::1' || host.startsWith('127.');
    return {
      host,
      port: Number(url.port) || port,
      secure: url.protocol === 'smtps:',
      // A password, and what logs say, aren't sent over a network in clear text.
      requireTLS: url.protocol === 'smtp:' && !isHere,
      ...(url.username !== '' && {
        auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
      }),
    };
  } catch {
    throw new TailraceError(
      'settings',
      'VIEWER_SMTP_URL must be smtps://user:password@host:465 or smtp://user:password@host:587, with special characters of the password encoded (%40 for @).',
    );
  }
}

/** Each mail has a connection of its own (RFC 5321), which is limited in time; whether it may be tried again is said by the NotificationError. */
export class MailSender {
  private readonly settings: MailSettings;
  private transport: Promise<Transporter> | undefined;

  /** @throws TailraceError `settings` for addresses that can't be read */
  constructor(settings: MailSettings) {
    this.settings = settings;
    const { smtpUrl, from } = settings;
    if (smtpUrl !== '') parseSmtpUrl(smtpUrl);
    if (from !== '' && !isMailSender(from))
      throw new TailraceError(
        'settings',
        'VIEWER_SMTP_FROM must be an address: logs@example.com, or Logs <logs@example.com>.',
      );
  }

  /** Is there a server to send mails with? Without one {@link send} fails for good. */
  get isSet(): boolean {
    return this.settings.smtpUrl !== '';
  }

  /** @throws NotificationError */
  async send(to: readonly string[], event: AlertEvent, baseUrl: string, messageId: string): Promise<void> {
    const { smtpUrl, from } = this.settings;
    if (!this.isSet)
      throw new NotificationError('no SMTP server is set: start the viewer with VIEWER_SMTP_URL', true);
    try {
      this.transport ??= openTransport(smtpUrl);
      const sender = from || `Tailrace viewer <viewer@${parseSmtpUrl(smtpUrl).host}>`;
      await (await this.transport).sendMail({
        from: sender,
        to: [...to],
        subject: titleOf(event),
        text: mailText(event, baseUrl),
        messageId: `<${messageId}@tailrace-viewer>`,
        // RFC 3834: nobody answers it by a machine.
        headers: { 'Auto-Submitted': 'auto-generated', 'X-Tailrace-Event': event.id },
      });
    } catch (error) {
      throw new NotificationError(mailErrorText(error), isPermanent(error), { cause: error });
    }
  }

  async close(): Promise<void> {
    (await this.transport?.catch(() => undefined))?.close();
  }
}

/** Plain text alone: nothing of a log can be markup in it. */
function mailText(event: AlertEvent, baseUrl: string): string {
  const patterns = event.patterns?.length
    ? ['', 'Patterns:', ...event.patterns.map((one) => `  ${oneLine(one)}`)]
    : [];
  const lines = event.samples.flatMap((line) => ['', lineText(line), `  ${lineUrl(baseUrl, line)}`]);
  return [
    summaryOf(event),
    '',
    `Search: ${oneLine(event.search.query) || '(every line)'}`,
    searchUrl(baseUrl, event),
    ...patterns,
    ...lines,
    '',
  ].join('\n');
}

async function openTransport(smtpUrl: string): Promise<Transporter> {
  const { createTransport } = await import('nodemailer');
  return createTransport({
    ...parseSmtpUrl(smtpUrl),
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

/** RFC 5321 section 4.2.1: 5yz stays so; but a refused login is repaired by somebody. */
function isPermanent(error: unknown): boolean {
  const { responseCode, code } = error as { responseCode?: unknown; code?: unknown };
  return typeof responseCode === 'number' && responseCode >= 500 && code !== 'EAUTH';
}

function mailErrorText(error: unknown): string {
  const text = errorMessage(error);
  return oneLine(text).slice(0, 300);
}
