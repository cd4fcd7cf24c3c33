import type { ViewerPage } from '../viewer-page.ts';

/** How many lines there are over time; drawing a range asks for it. */
export function CountsChart({ page }: { page: ViewerPage }) {
  void page.counts.counts.value;
  return null;
}
