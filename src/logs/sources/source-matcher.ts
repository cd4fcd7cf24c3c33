/**
 * Recognizes the log source of a line without a look-up: by the token that its sender authenticated with, or because it has the
 * same token as the line before. Decisions only; {@link LineReceiver} looks the others up.
 */
import { type LogSource, WILDCARD_SOURCE } from '../router/token-cache.ts';
import type { SyslogHeader } from '../syslog/header.ts';
import { readHeaderField } from './rewrite-header.ts';
import { sourceForAppName } from './wildcard-token.ts';

const SPACE = 0x20;

export class SourceMatcher {
  /** The source of all lines, when the sender authenticated with a token. */
  readonly authenticated: LogSource | undefined;
  /** The source of the last line. */
  current: LogSource | undefined;
  /** The version of the token table when {@link current} was looked up. */
  private tokensVersion = -1;
  /** {@link current} is of a wildcard token, and recognized by its name; undefined: not looked at yet. */
  private isNamed: boolean | undefined;

  constructor(authenticated: LogSource | undefined) {
    this.authenticated = authenticated;
    this.current = authenticated;
  }

  /**
   * The source of the line in `bytes`, whose header has been scanned and which ends at `end`; undefined when it has to be looked
   * up.
   */
  match(bytes: Uint8Array, header: SyslogHeader, end: number, tokensVersion: number): LogSource | undefined {
    const { authenticated, current } = this;
    if (authenticated) {
      if (authenticated.source !== WILDCARD_SOURCE) return authenticated;
      this.current = sourceForAppName(authenticated, readHeaderField(bytes, header.sourceStart, end));
      return this.current;
    }
    if (!current || this.tokensVersion !== tokensVersion) return undefined;
    const { sourceStart, dynoStart } = header;
    const tokenEnd = dynoStart === end ? fieldEnd(bytes, sourceStart, end) : dynoStart - 1;
    if (!hasToken(bytes, sourceStart, tokenEnd, current)) return undefined;
    // Its APP-NAME says nothing: the next line with this name may have another token, or be of another rule.
    this.isNamed ??= !Buffer.from(current.token).equals(current.tokenBytes);
    return this.isNamed ? undefined : current;
  }

  /** The source of all lines, when it is the same whatever their APP-NAME. */
  get common(): LogSource | undefined {
    return this.authenticated?.source === WILDCARD_SOURCE ? undefined : this.authenticated;
  }

  /** No token was made or revoked since {@link current} was looked up. */
  isCurrent(tokensVersion: number): boolean {
    return this.tokensVersion === tokensVersion;
  }

  /** The last line was of this source. */
  remember(logSource: LogSource, tokensVersion: number): void {
    this.current = logSource;
    this.tokensVersion = tokensVersion;
    this.isNamed = undefined;
  }
}

function hasToken(bytes: Uint8Array, start: number, end: number, { tokenBytes }: LogSource): boolean {
  const length = tokenBytes.length;
  if (length === 0 || end - start !== length) return false;
  for (let i = length - 1; i >= 0; i--) if (bytes[start + i] !== tokenBytes[i]) return false;
  return true;
}

function fieldEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && bytes[i] !== SPACE) i++;
  return i;
}
