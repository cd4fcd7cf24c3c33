import type { ViewerPage } from '../viewer-page.ts';

export function AlertsPage({ page }: { page: ViewerPage }) {
  void page;
  return null;
}
