import { withKnownSender } from '../../../../src/logs/query/known-sender.ts';
import { type PreparedQuery, QueryMatcher } from '../../../../src/logs/query/query-matcher.ts';
import type { LogStreamRecord } from '../../groups/group-records.ts';

/** Matches lines of streams against a search, which finds their names, too. */
export class StreamMatchers {
  private readonly query: PreparedQuery;
  private readonly byName = new Map<string, QueryMatcher | undefined>();

  constructor(query: PreparedQuery) {
    this.query = query;
  }

  /** Undefined: all lines of the stream match. */
  of({ name }: Pick<LogStreamRecord, 'name'>): QueryMatcher | undefined {
    const { expression, matcher } = this.query;
    if (!expression || !matcher) return undefined;
    if (!this.byName.has(name)) {
      const own = withKnownSender(expression, name);
      // Lines that are sent to several tails are looked at once for those with the same key.
      const make = (): QueryMatcher | undefined => own && new QueryMatcher(own, `${matcher.key}\0${name}`);
      this.byName.set(name, own === expression ? matcher : make());
    }
    return this.byName.get(name);
  }
}
