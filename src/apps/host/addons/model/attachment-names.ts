/** Names of add-ons and of attachments. */
import { TailraceError } from '../../../../common/errors.ts';

/** Heroku's words for the second and all further attachments of a service. */
const COLORS = [
  'AMBER', 'AQUA', 'BLACK', 'BLUE', 'BRONZE', 'BROWN', 'CHARCOAL', 'COBALT', 'COPPER', 'CRIMSON', 'CYAN', 'GOLD', 'GRAY', 'GREEN',
  'IVORY', 'JADE', 'MAROON', 'MAUVE', 'NAVY', 'OLIVE', 'ONYX', 'ORANGE', 'PINK', 'PUCE', 'PURPLE', 'RED', 'ROSE', 'SILVER', 'TEAL',
  'VIOLET', 'WHITE', 'YELLOW',
]; // biome-ignore format: one long list

const ATTACHMENT_NAME = /^[A-Z][A-Z0-9_]{0,99}$/;
const ADDON_NAME = /^[a-z][a-z0-9_-]{1,98}[a-z0-9]$/i;

/**
 * The name of an attachment as somebody typed it.
 * @throws TailraceError `invalid_params`
 */
export function parseAttachmentName(typed: string): string {
  const name = typed.toUpperCase().replaceAll('-', '_');
  if (ATTACHMENT_NAME.test(name)) return name;
  throw new TailraceError(
    'invalid_params',
    `"${typed.slice(0, 100)}" can't be an attachment's name: it begins its config vars, so use up to 100 letters, digits and underscores, and a letter first.`,
  );
}

/** @throws TailraceError `invalid_params` */
export function parseAddonName(typed: string): string {
  if (ADDON_NAME.test(typed)) return typed;
  throw new TailraceError(
    'invalid_params',
    `Name must start with a letter, end with a letter or digit, and can only contain letters, digits, underscores and dashes (3 to 100 characters), not "${typed.slice(0, 100)}".`,
  );
}

/**
 * A name for an attachment that was given none: the service's own, then one with a color.
 * @param isFree may the app have an attachment of this name?
 * @param random from 0 to 1, which color comes first
 */
export function chooseAttachmentName(
  prefix: string,
  colorPrefix: string,
  isFree: (name: string) => boolean,
  random = Math.random(),
): string {
  if (isFree(prefix)) return prefix;
  const start = Math.floor(random * COLORS.length);
  for (let round = 1; ; round++)
    for (let i = 0; i < COLORS.length; i++) {
      const color = COLORS[(start + i) % COLORS.length];
      const name = `${colorPrefix}_${color}${round > 1 ? `_${round}` : ''}`;
      if (isFree(name)) return name;
    }
}
