/** Heroku's error codes of lines in an app's stream, and ours beside them; the router's (H10 …) are in its error-codes.ts. */

interface PlatformError {
  /** Heroku's words for it, where Heroku has some. */
  readonly name?: string;
  readonly meaning: string;
}

export const PLATFORM_ERRORS = {
  L10: {
    name: 'output buffer overflow',
    meaning:
      'a drain lost lines: they were no longer in the stream, or its destination refused them; how many, since when',
  },
  L11: {
    name: 'Tail buffer overflow',
    meaning: 'a tail read more slowly than lines came; how many it missed',
  },
  L12: {
    meaning:
      'a dyno or `tailrace ship` wrote more than the server took, and its buffer was full, or datagrams came while lines of the app could not be stored; how many lines were dropped',
  },
  L13: {
    meaning:
      'lines of a dyno or of `tailrace ship` were refused by the server, or not taken in time; how many were lost',
  },
  L14: {
    name: 'certificate validation',
    meaning: "a drain's certificate was not accepted, here or by its destination; lines wait",
  },
  L16: {
    name: 'stored lines lost',
    meaning:
      'lines of the stream are gone, because files of the data folder were damaged or removed; which ones',
  },
  R10: { name: 'Boot timeout', meaning: "a web dyno didn't listen on `$PORT` in time, and was ended" },
  R12: {
    name: 'Exit timeout',
    meaning: "a dyno didn't end in time after SIGTERM, and was ended with SIGKILL",
  },
  R13: { name: 'Attach error', meaning: 'nobody attached to a one-off dyno in time' },
  R14: { name: 'Memory quota exceeded', meaning: 'a dyno uses more memory than its size has' },
  R15: {
    name: 'Memory quota vastly exceeded',
    meaning: 'a dyno used twice the memory that its size has, and was ended',
  },
} as const satisfies Record<string, PlatformError>;

export type PlatformErrorCode = keyof typeof PLATFORM_ERRORS;

/** How its line begins: `Error R14 (Memory quota exceeded)`. */
export function platformErrorTitle(code: PlatformErrorCode): string {
  const { name }: PlatformError = PLATFORM_ERRORS[code];
  return name === undefined ? `Error ${code}` : `Error ${code} (${name})`;
}
