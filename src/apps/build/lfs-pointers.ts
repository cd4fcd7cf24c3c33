/** Git LFS keeps large files elsewhere; a commit has pointers in their place, which no app can use. */
import { readable } from '../../common/tar/tar-reader.ts';

/** Named in the warning. */
const NAMES_MAX = 5;

/** What is said of a source with such files. @param paths one character a byte */
export function describeLfsPointers(paths: readonly string[]): string[] {
  if (paths.length === 0) return [];
  const named = paths.slice(0, NAMES_MAX).map(readable).join(', ');
  const others = paths.length > NAMES_MAX ? ` and ${paths.length - NAMES_MAX} more` : '';
  const what = paths.length === 1 ? 'A file is a pointer' : `${paths.length} files are pointers`;
  return [
    ` !     ${what} of Git LFS, and not the content itself: ${named}${others}`,
    ' !     That content is not part of a push: run `git lfs pull`, and deploy the folder with `tailrace push`.',
  ];
}
