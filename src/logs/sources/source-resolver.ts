/**
 * Determines the log source of a line. Its APP-NAME is its token; a sender that can't write it there has it in structured data
 * or in the hostname, or is identified by a rule.
 */
import { findSource, type LineRules } from '../router/line-rules.ts';
import type { SenderInfo, SourceRules } from '../router/source-rules.ts';
import type { LogSource, TokenLookup } from '../router/token-cache.ts';
import { readTokenElement } from '../syslog/fields/structured-data.ts';
import type { SyslogHeader } from '../syslog/header.ts';
import { newScope } from '../syslog/wasm/wasm-codec.ts';
import { type HeaderChanges, readHeaderField, rewriteHeader } from './rewrite-header.ts';
import { sourceForAppName } from './wildcard-token.ts';

/** The source of a line: found, unknown, or a token has to be looked up in the store first. */
export type SourceResolution =
  | { readonly logSource: LogSource /** The line, when it had to be rewritten. */; readonly line?: Buffer }
  | 'unknown'
  | { readonly tokenToLoad: string };

const TOKEN = /^t\.[\w-]{1,64}$/;

/** The source of a token. */
export function resolveToken(tokens: TokenLookup, token: string): SourceResolution {
  const logSource = tokens.lookupToken(token);
  if (logSource === undefined) return { tokenToLoad: token };
  return logSource ? { logSource } : 'unknown';
}

/** Resolves the lines of one sender. */
export class SourceResolver {
  private readonly tokens: TokenLookup;
  private readonly rules: Pick<SourceRules, 'version' | 'candidatesFor'>;
  private readonly sender: SenderInfo;
  private candidatesVersion = -1;
  private cachedCandidates: readonly LineRules[] = [];
  private cachedScope = 0;

  constructor(
    tokens: TokenLookup,
    rules: Pick<SourceRules, 'version' | 'candidatesFor'>,
    sender: SenderInfo,
  ) {
    this.tokens = tokens;
    this.rules = rules;
    this.sender = sender;
  }

  /** Grows when rules were made or removed. */
  get rulesVersion(): number {
    return this.rules.version;
  }

  /** A number for what the sender's rules say: another one when rules were made or removed. */
  get scope(): number {
    this.candidates();
    return this.cachedScope;
  }

  /** The source of the line `bytes[start, end)`, whose header has been scanned. */
  resolve(bytes: Uint8Array, start: number, end: number, header: SyslogHeader): SourceResolution {
    const tag = readHeaderField(bytes, header.sourceStart, end);
    if (tag.startsWith('t.')) return this.byTag(tag, bytes, start, end, header);
    const hostname = readHeaderField(bytes, header.hostStart, header.sourceStart);
    const token = [readTokenElement(bytes, header.sdStart, header.sdEnd), hostname].find(isToken);
    const resolution = token ? resolveToken(this.tokens, token) : this.resolveByRule(tag, hostname);
    if (resolution === 'unknown' || 'tokenToLoad' in resolution) return resolution;
    const logSource = sourceForAppName(resolution.logSource, tag);
    const changes: HeaderChanges = { source: logSource.source, dropHost: token === hostname };
    return { logSource, line: rewriteHeader(bytes, start, end, header, changes) };
  }

  /** The source of a line that has no header at all: of a rule that asks for nothing but the sender. */
  resolveHeaderless(): LogSource | undefined {
    return findSource(this.candidates());
  }

  /** The source that a rule names for lines of this tag and host, as a header has them. */
  resolveByRule(tag: string, hostname: string): { readonly logSource: LogSource } | 'unknown' {
    const logSource = findSource(this.candidates(), tag, hostname);
    return logSource ? { logSource } : 'unknown';
  }

  /** A token, or `TOKEN/web.1`: for senders that can set the tag, and nothing else (Docker). */
  private byTag(
    tag: string,
    bytes: Uint8Array,
    start: number,
    end: number,
    header: SyslogHeader,
  ): SourceResolution {
    const slash = tag.indexOf('/');
    if (slash === -1) return resolveToken(this.tokens, tag);
    const resolution = resolveToken(this.tokens, tag.slice(0, slash));
    if (resolution === 'unknown' || 'tokenToLoad' in resolution) return resolution;
    // A wildcard token's line names no source here.
    const logSource = sourceForAppName(resolution.logSource, '');
    const changes: HeaderChanges = { source: logSource.source, dyno: tag.slice(slash + 1) };
    return { logSource, line: rewriteHeader(bytes, start, end, header, changes) };
  }

  private candidates(): readonly LineRules[] {
    if (this.candidatesVersion !== this.rules.version) {
      this.candidatesVersion = this.rules.version;
      this.cachedCandidates = this.rules.candidatesFor(this.sender);
      this.cachedScope = newScope();
    }
    return this.cachedCandidates;
  }
}

function isToken(text: string | undefined): text is string {
  return text !== undefined && TOKEN.test(text);
}
