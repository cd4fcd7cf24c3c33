/** Where clients put the public key of their DSN (https://develop.sentry.dev/sdk/foundations/transport/authentication/). */
import { memberOf, textOf } from '../event/json-access.ts';

/** Of the headers and the query of a request. */
export interface KeySources {
  readonly sentryAuth: string | undefined;
  readonly authorization: string | undefined;
  readonly query: string | undefined;
}

/** The key of a request; undefined when it has none: an envelope may have one in its header. */
export function requestKeyOf({ sentryAuth, authorization, query }: KeySources): string | undefined {
  return keyOfHeader(sentryAuth) ?? keyOfHeader(authorization) ?? query;
}

/** `Sentry sentry_key=…, sentry_version=7`; the word at the front, spaces and quotes are up to the client. */
function keyOfHeader(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const fields = header.replace(/^\s*sentry\s+/i, '').split(',');
  for (const field of fields) {
    const equals = field.indexOf('=');
    if (field.slice(0, equals).trim().toLowerCase() !== 'sentry_key') continue;
    return field
      .slice(equals + 1)
      .trim()
      .replace(/^"|"$/g, '');
  }
  return undefined;
}

/** The key in `dsn` of an envelope's header: `http://KEY@host:port/1`. */
export function envelopeKeyOf(header: unknown): string | undefined {
  const dsn = textOf(memberOf(header, 'dsn'));
  return dsn !== undefined && URL.canParse(dsn) ? new URL(dsn).username : undefined;
}
