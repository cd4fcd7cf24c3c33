/**
 * Who is it? A line's APP-NAME is its token; a sender that can't write it there has it in structured data or in the
 * hostname, or is known by a rule.
 */
import type { Router } from '../router/router.ts';
import type { Candidate, Rules, SenderFacts } from '../router/rules.ts';
import type { Tenant } from '../router/tenants.ts';
import type { Header } from '../syslog/header.ts';
import { speakerOf } from './any-source.ts';
import { type Changes, fieldAt, findTokenElement, relabel } from './relabel.ts';

/** Whose a line is: found, unknown, or the store has to be asked for a token. */
export type Finding =
  | { readonly tenant: Tenant /** The line, when it had to be written anew. */; readonly line?: Buffer }
  | 'unknown'
  | { readonly ask: string };

const TOKEN = /^t\.[\w-]{1,64}$/;

export class Identity {
  private readonly router: Router;
  private readonly rules: Rules;
  private readonly sender: SenderFacts;
  private version = -1;
  private remembered: readonly Candidate[] = [];

  constructor(router: Router, rules: Rules, sender: SenderFacts) {
    this.router = router;
    this.rules = rules;
    this.sender = sender;
  }

  /** Whose the line `bytes[start, end)` is, whose header has been scanned. */
  find(bytes: Uint8Array, start: number, end: number, header: Header): Finding {
    const tag = fieldAt(bytes, header.sourceStart, end);
    if (tag.startsWith('t.')) return this.byTag(tag, bytes, start, end, header);
    const element = findTokenElement(bytes, header);
    const hostname = fieldAt(bytes, header.hostStart, header.sourceStart);
    const token = element?.token ?? (TOKEN.test(hostname) ? hostname : undefined);
    const finding = token ? this.byToken(token) : this.byRule(tag, hostname);
    if (finding === 'unknown' || 'ask' in finding) return finding;
    const tenant = speakerOf(finding.tenant, tag);
    const changes: Changes = { source: tenant.source, dropHost: token === hostname, drop: element };
    return { tenant, line: relabel(bytes, start, end, header, changes) };
  }

  /** Whose a line is that has no header at all; only a rule about its sender can say. */
  findBare(): Tenant | undefined {
    return this.candidates().find(({ tag, hostname }) => tag === undefined && hostname === undefined)?.tenant;
  }

  /** A token, or `TOKEN/web.1`: for senders that can set the tag, and nothing else (Docker). */
  private byTag(tag: string, bytes: Uint8Array, start: number, end: number, header: Header): Finding {
    const slash = tag.indexOf('/');
    if (slash === -1) return this.byToken(tag);
    const finding = this.byToken(tag.slice(0, slash));
    if (finding === 'unknown' || 'ask' in finding) return finding;
    const changes: Changes = { source: finding.tenant.source, dyno: tag.slice(slash + 1) };
    return { tenant: finding.tenant, line: relabel(bytes, start, end, header, changes) };
  }

  private byToken(token: string): Finding {
    const tenant = this.router.findTenant(token);
    if (tenant === undefined) return { ask: token };
    return tenant ? { tenant } : 'unknown';
  }

  private byRule(tag: string, hostname: string): Finding {
    for (const candidate of this.candidates())
      if (
        (candidate.tag === undefined || candidate.tag === tag) &&
        (candidate.hostname === undefined || candidate.hostname === hostname)
      )
        return { tenant: candidate.tenant };
    return 'unknown';
  }

  private candidates(): readonly Candidate[] {
    if (this.version !== this.rules.version) {
      this.version = this.rules.version;
      this.remembered = this.rules.candidates(this.sender);
    }
    return this.remembered;
  }
}
