/** The few fields of a mail's header that a list shows (RFC 5322), read from its beginning alone, however large it is. */
import { simpleParser } from 'mailparser';
import type { MailHead } from './stored-mail.ts';

/** Of a mail, this much is looked at. */
export const MAIL_HEAD_BYTES_MAX = 65_536;
/** Of a field, as it was sent; and of its decoded text. */
const FIELD_BYTES_MAX = 8_192;
const TEXT_LENGTH_MAX = 1_000;
const FIELDS = ['from', 'to', 'cc', 'subject', 'date', 'message-id'] as const;
const NOTHING: MailHead = {
  from: '',
  to: '',
  cc: '',
  subject: '',
  date: '',
  messageId: '',
  contentType: '',
};

/** @param start at least its first {@link MAIL_HEAD_BYTES_MAX} bytes, or all of it. Never rejects. */
export async function readMailHead(start: Buffer): Promise<MailHead> {
  const fields = wantedFields(start.subarray(0, MAIL_HEAD_BYTES_MAX).toString('latin1'));
  const contentType = /^\s*([\w.+-]+\/[\w.+-]+)/.exec(fields.get('content-type') ?? '')?.[1] ?? '';
  const lines = FIELDS.flatMap((name) => (fields.has(name) ? [`${name}:${fields.get(name)}\r\n`] : []));
  try {
    const mail = await simpleParser(Buffer.from(`${lines.join('')}\r\n`, 'latin1'), {
      skipHtmlToText: true,
      skipTextToHtml: true,
    });
    const addresses = (one: typeof mail.to): string =>
      [one ?? []]
        .flat()
        .map(({ text }) => text)
        .join(', ');
    return {
      from: bounded(addresses(mail.from)),
      to: bounded(addresses(mail.to)),
      cc: bounded(addresses(mail.cc)),
      subject: bounded(mail.subject ?? ''),
      date: mail.date && !Number.isNaN(mail.date.getTime()) ? mail.date.toISOString() : '',
      messageId: bounded(mail.messageId ?? ''),
      contentType: contentType.toLowerCase(),
    };
  } catch {
    return NOTHING;
  }
}

/** The first of each name, with its folded lines, without the line feed at its end. */
function wantedFields(head: string): Map<string, string> {
  const fields = new Map<string, string>();
  let name = '';
  for (const line of head.split('\n')) {
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (text === '') break;
    if (text.startsWith(' ') || text.startsWith('\t')) {
      const before = fields.get(name);
      if (before !== undefined && before.length < FIELD_BYTES_MAX)
        fields.set(name, `${before}\r\n${text.slice(0, FIELD_BYTES_MAX)}`);
      continue;
    }
    const colon = text.indexOf(':');
    const found = text.slice(0, Math.max(0, colon)).trim().toLowerCase();
    const isWanted = found === 'content-type' || (FIELDS as readonly string[]).includes(found);
    name = isWanted && !fields.has(found) ? found : '';
    if (name) fields.set(name, text.slice(colon + 1, colon + 1 + FIELD_BYTES_MAX));
  }
  return fields;
}

function bounded(text: string): string {
  return text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text;
}
