/** Searches that this browser keeps, for all apps. */
import { type ReadonlySignal, signal } from '@preact/signals';
import { type Filters, NO_FILTERS } from './stream/filters.ts';
import { LINE_LEVELS } from './stream/line.ts';

const STORED_AS = 'tailrace-searches';
/** More would be no list to choose from. */
const SEARCHES_MAX = 100;

export interface SavedSearch {
  readonly name: string;
  readonly filters: Filters;
}

/** The newest first, at most {@link SEARCHES_MAX}; a signal, which follows what other tabs save. */
export class SavedSearchList {
  private readonly list = signal<readonly SavedSearch[]>(load());

  constructor() {
    // Another tab has changed them.
    addEventListener('storage', ({ key }) => {
      if (key === STORED_AS) this.list.value = load();
    });
  }

  get searches(): ReadonlySignal<readonly SavedSearch[]> {
    return this.list;
  }

  /** Keeps a search; another of that name goes. */
  save(name: string, filters: Filters): void {
    this.change(
      [{ name, filters }, ...this.list.value.filter((one) => one.name !== name)].slice(0, SEARCHES_MAX),
    );
  }

  remove(name: string): void {
    this.change(this.list.value.filter((one) => one.name !== name));
  }

  private change(searches: readonly SavedSearch[]): void {
    this.list.value = searches;
    try {
      localStorage.setItem(STORED_AS, JSON.stringify(searches));
    } catch {
      // then they are kept for this visit
    }
  }
}

/** Filters in words, as a search would say them. */
export function describeFilters({ source, dyno, level, q }: Filters): string {
  return [source && `source:${source}`, dyno && `dyno:${dyno}`, level && `level:${level}`, q]
    .filter(Boolean)
    .join(' ');
}

function load(): SavedSearch[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORED_AS) ?? '[]');
    return Array.isArray(stored) ? stored.flatMap(readSearch).slice(0, SEARCHES_MAX) : [];
  } catch {
    return [];
  }
}

/** Whatever is stored there: another version may have written it. */
function readSearch(value: unknown): SavedSearch[] {
  if (typeof value !== 'object' || value === null || !('name' in value) || !('filters' in value)) return [];
  const { name, filters } = value;
  if (typeof name !== 'string' || name === '' || typeof filters !== 'object' || filters === null) return [];
  const text = (key: string): string => {
    const found: unknown = (filters as Record<string, unknown>)[key];
    return typeof found === 'string' ? found : '';
  };
  const level = LINE_LEVELS.find((one) => one === text('level')) ?? '';
  return [
    { name, filters: { ...NO_FILTERS, source: text('source'), dyno: text('dyno'), q: text('q'), level } },
  ];
}
