import { senderTexts, withKnownSender } from '../../../../src/logs/query/known-sender.ts';
import type { QueryNode } from '../../../../src/logs/query/query-syntax.ts';
import { readQuery } from '../../../../src/logs/query/read-query.ts';
import { SearchSet } from '../matching/search-set.ts';
import type { SharedSearches } from './stream-watch.ts';
import type { WatchedAlert } from './watched-search.ts';

/** The searches of some alerts, each once: the same for all streams but those whose names they ask for. */
export class SearchesOfAlerts {
  private readonly alerts: readonly (readonly WatchedAlert[])[];
  private readonly expressions: readonly (QueryNode | undefined)[];
  /** One of these is in a name that is asked for; undefined when that can't be said. */
  private readonly texts: readonly string[] | undefined;
  private readonly byName = new Map<string, SharedSearches>();

  constructor(alerts: readonly WatchedAlert[]) {
    const byQuery = new Map<string, WatchedAlert[]>();
    for (const alert of alerts) {
      const same = byQuery.get(alert.search.query);
      if (same) same.push(alert);
      else byQuery.set(alert.search.query, [alert]);
    }
    this.alerts = [...byQuery.values()];
    this.expressions = [...byQuery.keys()].map((query) => readQuery(query).expression);
    const texts = this.expressions.map((expression) => (expression ? senderTexts(expression) : []));
    this.texts = texts.includes(undefined) ? undefined : [...new Set(texts.flatMap((one) => one ?? []))];
  }

  /** As they are asked of a stream with this name. */
  of(name: string): SharedSearches {
    const { expressions, texts } = this;
    const lower = name.toLowerCase();
    const isAsked = texts?.some((text) => lower.includes(text)) ?? true;
    const own = isAsked ? expressions.map((one) => one && withKnownSender(one, name)) : expressions;
    const key = own.every((one, i) => one === expressions[i]) ? '' : name;
    let searches = this.byName.get(key);
    if (!searches) {
      searches = { set: new SearchSet(own), alerts: this.alerts };
      this.byName.set(key, searches);
    }
    return searches;
  }
}
