/** Longest path that is told apart. */
const PATH_MAX = 200;
const NUMBER = /^\d+$/;
const HASH = /^[0-9a-f]{16,}$/i;
const UUID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/i;
/** Long words with digits in them: tokens, keys. */
const WORD = /^[\w-]+$/;
const WORD_LENGTH_MIN = 20;
const DIGIT = /\d/;
/** What builds put into the names of files. */
const HASH_LENGTH_MIN = 8;

/**
 * The route that a path belongs to, as far as it can be told from outside: `/users/42/posts?page=2` → `/users/:id/posts`.
 * Files of one folder with a hash in their names are one route.
 */
export function routePattern(path: string): string {
  const plain = path.split(/[?#;]/, 1)[0].slice(0, PATH_MAX);
  return plain
    .split('/')
    .map((segment) => (isIdentifier(segment) ? ':id' : withoutHash(segment)))
    .join('/');
}

/** Does it name one thing among many of its kind? */
function isIdentifier(segment: string): boolean {
  if (NUMBER.test(segment) || HASH.test(segment) || UUID.test(segment)) return true;
  return segment.length >= WORD_LENGTH_MIN && WORD.test(segment) && DIGIT.test(segment);
}

/** `app-4f3d2a1b9c.js` → `app.:hash.js` */
function withoutHash(segment: string): string {
  const extension = segment.lastIndexOf('.');
  const before = Math.max(segment.lastIndexOf('-', extension), segment.lastIndexOf('.', extension - 1));
  const hash = segment.slice(before + 1, extension);
  if (before < 1 || hash.length < HASH_LENGTH_MIN || !WORD.test(hash) || !DIGIT.test(hash)) return segment;
  return `${segment.slice(0, before)}.:hash${segment.slice(extension)}`;
}
