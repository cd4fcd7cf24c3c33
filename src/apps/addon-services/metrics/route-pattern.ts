/** Longest path that is told apart. */
const PATH_MAX = 200;
/** What names one thing among many of its kind: numbers, UUIDs, hashes, and long words with digits in them. */
const IDENTIFIER = /^(?:\d+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}|(?=[^/]*\d)[A-Za-z0-9_-]{20,})$/i;

/**
 * The route that a path belongs to, as far as it can be told from outside: `/users/42/posts?page=2` → `/users/:id/posts`.
 * Files of one folder with a hash in their names are one route.
 */
export function routePattern(path: string): string {
  const plain = path.split(/[?#;]/, 1)[0].slice(0, PATH_MAX);
  return plain
    .split('/')
    .map((segment) => {
      if (IDENTIFIER.test(segment)) return ':id';
      return segment.replace(/[.-][0-9a-z_-]*\d[0-9a-z_-]{6,}(?=\.\w+$)/i, '.:hash');
    })
    .join('/');
}
