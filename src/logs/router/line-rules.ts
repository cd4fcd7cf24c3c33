/** What rules ask of lines, their tag and hostname, as a table: a line costs the same whether there are two rules or a thousand. */
import type { LogSource } from './token-cache.ts';

/** A rule whose conditions on the sender are met; undefined: it asks for none. */
export interface LineRule {
  readonly tag: string | undefined;
  readonly hostname: string | undefined;
  readonly logSource: LogSource;
}

interface RankedSource {
  readonly rank: number;
  readonly logSource: LogSource;
}

/** Rules that ask the same of their senders. */
export class LineRules {
  private readonly byTag = new Map<string | undefined, Map<string | undefined, RankedSource>>();

  /** @param rules the one that counts before others first */
  constructor(rules: readonly LineRule[] = []) {
    for (const [rank, rule] of rules.entries()) this.add(rule, rank);
  }

  /** @param rank of several rules that a line meets the one with the lowest counts; each has another one, higher than those before */
  add({ tag, hostname, logSource }: LineRule, rank: number): void {
    let byHostname = this.byTag.get(tag);
    if (!byHostname) {
      byHostname = new Map();
      this.byTag.set(tag, byHostname);
    }
    if (!byHostname.has(hostname)) byHostname.set(hostname, { rank, logSource });
  }

  /** The rule that counts for lines of this tag and host; undefined for what they don't have, and when there is none. */
  find(tag: string | undefined, hostname: string | undefined): RankedSource | undefined {
    const { byTag } = this;
    const anyTag = byTag.get(undefined);
    let found = first(anyTag?.get(undefined), hostname === undefined ? undefined : anyTag?.get(hostname));
    if (tag === undefined) return found;
    const ofTag = byTag.get(tag);
    if (!ofTag) return found;
    found = first(found, ofTag.get(undefined));
    return hostname === undefined ? found : first(found, ofTag.get(hostname));
  }
}

/** Whose the lines of this tag and host are, by several of them. */
export function findSource(
  rules: readonly LineRules[],
  tag?: string,
  hostname?: string,
): LogSource | undefined {
  let found: RankedSource | undefined;
  for (const each of rules) found = first(found, each.find(tag, hostname));
  return found?.logSource;
}

function first(one: RankedSource | undefined, other: RankedSource | undefined): RankedSource | undefined {
  return !one || (other && other.rank < one.rank) ? other : one;
}
