/** The sources and dynos that an app's lines have named so far, to choose from in the filters. */
import { signal } from '@preact/signals';
import type { Line } from './line.ts';

/** Names beyond this many would make no list to choose from. */
const FACET_VALUES_MAX = 200;

/** Signals, sorted for people. With more than 200 names nothing is added: some apps name a new dyno in every line. */
export class Facets {
  readonly sources = signal<readonly string[]>([]);
  readonly dynos = signal<readonly string[]>([]);
  private readonly seenSources = new Set<string>();
  private readonly seenDynos = new Set<string>();

  /** Takes the names of lines that are new; signals change only when one of them is. */
  add(lines: readonly Pick<Line, 'source' | 'dyno'>[]): void {
    const before = this.seenSources.size + this.seenDynos.size;
    if (before > FACET_VALUES_MAX) return;
    for (const { source, dyno } of lines) {
      if (source) this.seenSources.add(source);
      if (dyno) this.seenDynos.add(dyno);
    }
    if (this.seenSources.size + this.seenDynos.size === before) return;
    this.sources.value = [...this.seenSources].sort();
    this.dynos.value = [...this.seenDynos].sort(naturalOrder);
  }
}

function naturalOrder(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** `web` for `web.1` and `web.2`: filters take all dynos of a type. Types with a single dyno add nothing. */
export function processTypes(dynos: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const dyno of dynos) {
    const dot = dyno.lastIndexOf('.');
    if (dot > 0) counts.set(dyno.slice(0, dot), (counts.get(dyno.slice(0, dot)) ?? 0) + 1);
  }
  return [...counts].filter(([, count]) => count > 1).map(([type]) => type);
}
