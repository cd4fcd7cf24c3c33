import type { ViewerPage } from '../viewer-page.ts';

export function StreamsPage({ page }: { page: ViewerPage }) {
  void page;
  return null;
}
