import type { ViewerPage } from '../viewer-page.ts';

export function ArchivesPage({ page }: { page: ViewerPage }) {
  void page;
  return null;
}
