/** Searches that alerts are on, for measurements: a thousand of a kind, or of all kinds. */

const WORDS =
  'payment declined refused deadlock timeout exhausted segfault panic overflow unreachable certificate expired denied quota throttled corrupted rollback conflict abort stalled'.split(
    ' ',
  );
const word = (i: number): string => WORDS[i % WORDS.length];

/** Words, phrases, and both with an exclusion. */
function wordQuery(i: number): string {
  switch (i % 4) {
    case 0:
      return `"${word(i)} ${word(i * 7 + 3)} ${i}"`;
    case 1:
      return `${word(i)}${i}`;
    case 2:
      return `${word(i)} shop-${i} -healthcheck`;
    default:
      return `"error code=H${10 + (i % 90)}" OR "error R${10 + (i % 90)}"`;
  }
}

/** As people have them: mostly words, some fields, a few that no text stands for. */
function mixedQuery(i: number): string {
  switch (i % 100) {
    case 0:
      return `source:router status:${['>=500', '>=400', '404', '503'][(i / 100) & 3]}`;
    case 1:
      return `/${word(i)}\\d+x${i}/`;
    case 2:
      return `severity:error -healthcheck${i}`;
    default:
      if (i % 10 === 3) return `user.id:${200_000 + i}`;
      if (i % 10 === 4) return `code:H${10 + (i % 90)} dyno:web.${i}`;
      if (i % 10 === 5) return `source:router path:/checkout/${i}/* status:>=500`;
      return wordQuery(i);
  }
}

/** A tenth of each kind, every one different: comparisons, severities, exclusions and alternatives ask something of most lines. */
function evenQuery(i: number): string {
  const n = Math.floor(i / 10);
  switch (i % 10) {
    case 0:
      return wordQuery(i);
    case 1:
      return `source:router status:>=${500 + n}`;
    case 2:
      return `severity:error -healthcheck${i} -probe${n}`;
    case 3:
      return `/${word(i)} \\d+ of ${word(i + 1)}-${n}/i`;
    case 4:
      return `/(${word(i)}|${word(i + 1)}|${word(i + 2)}) after \\d+ms on shop-${n}/`;
    case 5:
      return `source:router -status:200 -status:304 -status:404 service:>${700 + n}ms`;
    case 6:
      return `user.id:${200_000 + i} OR order:${word(i)}-${n}`;
    case 7:
      return `duration:>${400 + n}ms db:>${20 + n}ms`;
    case 8:
      return `(${word(i)}${n} OR ${word(i + 3)}-${n} OR status:${600 + n}) -"cache hit"`;
    default:
      return `dyno:web.${n} status:(500 503) severity:warn`;
  }
}

/** Comparisons alone, of a few fields, which no text stands for. */
function comparedQuery(i: number): string {
  const n = Math.floor(i / 4);
  switch (i % 4) {
    case 0:
      return `status:>=${501 + n}`;
    case 1:
      return `service:>${899 + n}ms`;
    case 2:
      return `duration:>${499 + n}ms`;
    default:
      return `bytes:>=${10_000 + n}`;
  }
}

export const SEARCH_KINDS = {
  words: wordQuery,
  mixed: mixedQuery,
  even: evenQuery,
  compared: comparedQuery,
} as const;
