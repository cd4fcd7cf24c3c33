import type { HeaderTemplate } from './line-batch.ts';

/** The syslog header of a line, without its timestamp: formatted once for each dyno. */
export class HeaderCache {
  private readonly tokens: Readonly<Record<string, string>>;
  private readonly headers = new Map<string, HeaderTemplate>();
  /** Whose line was the last: mostly the next one is theirs too. */
  private last: { source: string; dyno: string; priority: number; header: HeaderTemplate } | undefined;

  /** @param tokens the token of each source */
  constructor(tokens: Readonly<Record<string, string>>) {
    this.tokens = tokens;
  }

  /** @throws if there is no token for the source */
  get(source: string, dyno: string, priority: number): HeaderTemplate {
    const last = this.last;
    if (last?.dyno === dyno && last.source === source && last.priority === priority) return last.header;
    const key = `${priority} ${source} ${dyno}`;
    const header = this.headers.get(key) ?? this.create(source, dyno, priority);
    this.headers.set(key, header);
    this.last = { source, dyno, priority, header };
    return header;
  }

  private create(source: string, dyno: string, priority: number): HeaderTemplate {
    const token = this.tokens[source];
    if (token === undefined) throw new Error(`There is no token for the source "${source}".`);
    const before = `<${priority}>1 `;
    const after = ` host ${token} ${dyno} - - `;
    const byteCount = before.length + '2013-11-04T21:31:32.125756+00:00'.length + after.length;
    return { beforeTimestamp: before, afterTimestamp: after, byteCount };
  }
}
