import type { ViewerPage } from '../viewer-page.ts';

export function PeoplePage({ page }: { page: ViewerPage }) {
  void page;
  return null;
}
