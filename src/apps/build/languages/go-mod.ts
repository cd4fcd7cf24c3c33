/** What a build reads in a go.mod. */

export interface GoMod {
  /** `1.22`, the least Go that it needs; undefined: any. */
  readonly go: string | undefined;
  /** Heroku's comment `// +heroku goVersion go1.22`. */
  readonly herokuGo: string | undefined;
  /** Of the comment `// +heroku install ./cmd/...`. */
  readonly install: readonly string[];
}

/** @param text of go.mod */
export function parseGoMod(text: string): GoMod {
  return {
    go: /^go\s+(\d+(?:\.\d+)*)/m.exec(text)?.[1],
    herokuGo: /^\/\/ *\+heroku +goVersion +go(\d+(?:\.\d+)*)/m.exec(text)?.[1],
    install: /^\/\/ *\+heroku +install (.+)$/m.exec(text)?.[1].trim().split(/\s+/) ?? [],
  };
}

/** Is a Go (`1.19.8`) at least what is needed (`1.22`)? */
export function isGoAtLeast(version: string, needed: string): boolean {
  const [have, need] = [version, needed].map((text) => text.split('.').map(Number));
  for (let i = 0; i < Math.max(have.length, need.length); i++) {
    const difference = (have[i] ?? 0) - (need[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** The name that `go install` gives a program: the package's last element that is no major version. */
export function goBinaryName(importPath: string): string {
  const elements = importPath.split('/');
  const last = elements.at(-1) ?? '';
  return (/^v[0-9]+$/.test(last) && elements.at(-2)) || last;
}
