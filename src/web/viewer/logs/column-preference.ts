/** Which fields have columns of their own: whoever reads has chosen them, and the browser keeps them. */
import { effect, type Signal, signal } from '@preact/signals';

const STORED_AS = 'tailrace-viewer-columns';
const COLUMNS_MAX = 8;

export function loadColumns(): Signal<readonly string[]> {
  let stored: unknown = [];
  try {
    stored = JSON.parse(localStorage.getItem(STORED_AS) ?? '[]');
  } catch {
    // storage may be forbidden, or hold something else
  }
  const names = Array.isArray(stored) ? stored.filter((name) => typeof name === 'string') : [];
  const columns = signal<readonly string[]>(names.slice(0, COLUMNS_MAX));
  effect(() => {
    try {
      localStorage.setItem(STORED_AS, JSON.stringify(columns.value));
    } catch {
      // then it holds for this visit
    }
  });
  return columns;
}

/** Gives a field a column, or takes it away. */
export function toggleColumn(columns: Signal<readonly string[]>, name: string): void {
  const { value } = columns;
  columns.value = value.includes(name)
    ? value.filter((one) => one !== name)
    : [...value, name].slice(-COLUMNS_MAX);
}
