/** Mails as the API lists them, and finds them. */
import { TailraceError } from '../../../common/errors.ts';
import type { StoredMail } from './stored-mail.ts';

export interface MessageView {
  readonly id: string;
  readonly received_at: string;
  readonly from: string;
  readonly to: string;
  readonly cc: string;
  readonly subject: string;
  /** Of its header; '' when it has none that can be read. */
  readonly date: string;
  readonly message_id: string;
  readonly content_type: string;
  readonly size: number;
  readonly read: boolean;
  /** As SMTP had it: blind copies are only here. */
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
}

/** As the API and its events have a mail, without its content. */
export function messageView(mail: StoredMail): MessageView {
  const { id, receivedMs, messageId, contentType, isRead, ...rest } = mail;
  const { from, to, cc, subject, date, size, envelope } = rest;
  return {
    id,
    received_at: new Date(receivedMs).toISOString(),
    from,
    to,
    cc,
    subject,
    date,
    message_id: messageId,
    content_type: contentType,
    size,
    read: isRead,
    envelope,
  };
}

export interface ListQuery {
  /** All of these words, in any case, in sender, recipients, subject or message id. */
  readonly words: readonly string[];
  /** A recipient's address. */
  readonly to: string;
  readonly unread: boolean;
  readonly limit: number;
}

const LIMIT_MAX = 1_000;
const LIMIT_DEFAULT = 100;
const WORDS_MAX = 20;

/** @throws TailraceError `invalid_params` */
export function listQuery(query: Readonly<Record<string, unknown>>): ListQuery {
  const known = ['q', 'to', 'unread', 'limit'];
  for (const [name, value] of Object.entries(query)) {
    if (!known.includes(name))
      throw new TailraceError(
        'invalid_params',
        `There is no parameter ${name}; there are ${known.join(', ')}.`,
      );
    if (typeof value !== 'string')
      throw new TailraceError('invalid_params', `The parameter ${name} was given more than once.`);
  }
  const { q = '', to = '', unread = '', limit = String(LIMIT_DEFAULT) } = query as Record<string, string>;
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > LIMIT_MAX)
    throw new TailraceError('invalid_params', `limit is a number from 1 to ${LIMIT_MAX}.`);
  if (!['', 'true', 'false'].includes(unread))
    throw new TailraceError('invalid_params', 'unread is true or false.');
  const words = q.toLowerCase().split(/\s+/).filter(Boolean).slice(0, WORDS_MAX);
  return { words, to: to.toLowerCase(), unread: unread === 'true', limit: Number(limit) };
}

/** Does a mail meet all that is asked? `limit` isn't looked at. */
export function matchesQuery(mail: StoredMail, { words, to, unread }: ListQuery): boolean {
  if (unread && mail.isRead) return false;
  if (to !== '' && !mail.envelope.to.some((address) => address.toLowerCase() === to)) return false;
  if (words.length === 0) return true;
  const { from, cc, subject, messageId, envelope } = mail;
  const text = [from, mail.to, cc, subject, messageId, envelope.from, ...envelope.to]
    .join('\n')
    .toLowerCase();
  return words.every((word) => text.includes(word));
}
