/**
 * Who is it? A line's APP-NAME is its token; a sender that can't write it there has it in structured data or in the
 * hostname, or is known by a rule.
 */
import type { LogRouter } from '../router/log-router.ts';
import type { CandidateRule, SenderInfo, SourceRules } from '../router/source-rules.ts';
import type { LogSource } from '../router/token-cache.ts';
import type { SyslogHeader } from '../syslog/header.ts';
import { findTokenElement, type HeaderChanges, readHeaderField, rewriteHeader } from './rewrite-header.ts';
import { sourceForAppName } from './wildcard-token.ts';

/** Whose a line is: found, unknown, or the store has to be asked for a token. */
export type SourceResolution =
  | { readonly logSource: LogSource /** The line, when it had to be written anew. */; readonly line?: Buffer }
  | 'unknown'
  | { readonly tokenToLoad: string };

const TOKEN = /^t\.[\w-]{1,64}$/;

export class SourceResolver {
  private readonly router: LogRouter;
  private readonly rules: SourceRules;
  private readonly sender: SenderInfo;
  private rulesVersion = -1;
  private cachedCandidates: readonly CandidateRule[] = [];

  constructor(router: LogRouter, rules: SourceRules, sender: SenderInfo) {
    this.router = router;
    this.rules = rules;
    this.sender = sender;
  }

  /** Whose the line `bytes[start, end)` is, whose header has been scanned. */
  resolve(bytes: Uint8Array, start: number, end: number, header: SyslogHeader): SourceResolution {
    const tag = readHeaderField(bytes, header.sourceStart, end);
    if (tag.startsWith('t.')) return this.byTag(tag, bytes, start, end, header);
    const element = findTokenElement(bytes, header);
    const hostname = readHeaderField(bytes, header.hostStart, header.sourceStart);
    const token = element?.token ?? (TOKEN.test(hostname) ? hostname : undefined);
    const resolution = token ? this.byToken(token) : this.byRule(tag, hostname);
    if (resolution === 'unknown' || 'tokenToLoad' in resolution) return resolution;
    const logSource = sourceForAppName(resolution.logSource, tag);
    const changes: HeaderChanges = {
      source: logSource.source,
      dropHost: token === hostname,
      dropElement: element,
    };
    return { logSource, line: rewriteHeader(bytes, start, end, header, changes) };
  }

  /** Whose a line is that has no header at all; only a rule about its sender can say. */
  resolveHeaderless(): LogSource | undefined {
    return this.candidates().find(({ tag, hostname }) => tag === undefined && hostname === undefined)
      ?.logSource;
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
    if (slash === -1) return this.byToken(tag);
    const resolution = this.byToken(tag.slice(0, slash));
    if (resolution === 'unknown' || 'tokenToLoad' in resolution) return resolution;
    const changes: HeaderChanges = { source: resolution.logSource.source, dyno: tag.slice(slash + 1) };
    return { logSource: resolution.logSource, line: rewriteHeader(bytes, start, end, header, changes) };
  }

  private byToken(token: string): SourceResolution {
    const logSource = this.router.lookupToken(token);
    if (logSource === undefined) return { tokenToLoad: token };
    return logSource ? { logSource } : 'unknown';
  }

  private byRule(tag: string, hostname: string): SourceResolution {
    for (const candidate of this.candidates())
      if (
        (candidate.tag === undefined || candidate.tag === tag) &&
        (candidate.hostname === undefined || candidate.hostname === hostname)
      )
        return { logSource: candidate.logSource };
    return 'unknown';
  }

  private candidates(): readonly CandidateRule[] {
    if (this.rulesVersion !== this.rules.version) {
      this.rulesVersion = this.rules.version;
      this.cachedCandidates = this.rules.candidatesFor(this.sender);
    }
    return this.cachedCandidates;
  }
}
