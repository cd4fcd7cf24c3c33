/** What the app's stream says of a mail. */
import { replaceHiddenCharacters } from '../../../common/text/hidden-characters.ts';
import type { StoredMail } from './stored-mail.ts';

const SUBJECT_LENGTH_MAX = 200;
const ADDRESS_LENGTH_MAX = 100;
const RECIPIENTS_MAX = 5;

/** `from=<a@example.com> to=<b@example.com>,<c@example.com> subject="Welcome" size=1204bytes id=…` */
export function mailLine({ envelope, subject, size, id }: StoredMail): string {
  const recipients = envelope.to
    .slice(0, RECIPIENTS_MAX)
    .map((address) => `<${visible(address, ADDRESS_LENGTH_MAX)}>`);
  const more = envelope.to.length - recipients.length;
  return [
    `from=<${visible(envelope.from, ADDRESS_LENGTH_MAX)}>`,
    `to=${recipients.join(',')}${more > 0 ? ` (and ${more} more)` : ''}`,
    `subject=${JSON.stringify(visible(subject, SUBJECT_LENGTH_MAX))}`,
    `size=${size}bytes`,
    `id=${id}`,
  ].join(' ');
}

/** Foreign text in a line: bounded, with hidden characters by their numbers. */
export function visible(text: string, lengthMax: number): string {
  const shown = text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
  return replaceHiddenCharacters(
    shown,
    (character) => `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`,
  );
}
