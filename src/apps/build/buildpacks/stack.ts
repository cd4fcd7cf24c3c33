/**
 * The Heroku stack whose programs run on this machine: Heroku's buildpacks fetch what was built for the one that `STACK`
 * names.
 */

/** By the version of the C library that a stack has, the newest first. */
const STACKS: readonly (readonly [major: number, minor: number, stack: string])[] = [
  [2, 39, 'heroku-24'],
  [2, 35, 'heroku-22'],
  [2, 31, 'heroku-20'],
];

/** @param glibc version of the C library; undefined: it is another one */
export function stackFor(glibc: string | undefined): string {
  const [major = 0, minor = 0] = glibc?.split('.').map(Number) ?? [];
  const found = STACKS.find(
    ([needsMajor, needsMinor]) => major > needsMajor || (major === needsMajor && minor >= needsMinor),
  );
  return found?.[2] ?? 'heroku-22';
}

/** The C library of this machine. */
export function glibcVersion(): string | undefined {
  const report: unknown = process.report?.getReport();
  if (typeof report !== 'object' || report === null || !('header' in report)) return undefined;
  const { header } = report;
  if (typeof header !== 'object' || header === null || !('glibcVersionRuntime' in header)) return undefined;
  return typeof header.glibcVersionRuntime === 'string' ? header.glibcVersionRuntime : undefined;
}
