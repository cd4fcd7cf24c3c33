import { TailraceError } from '../../common/errors.ts';

/** One build, from its beginning: what it says can be followed while it runs, and read afterwards. */
export class Build {
  readonly id: string;
  readonly commit: string;
  readonly createdAt = new Date().toISOString();
  updatedAt = this.createdAt;
  status: 'pending' | 'succeeded' | 'failed' = 'pending';
  buildpack = '';
  slug: string | null = null;
  release: { readonly id: string; readonly version: number } | null = null;
  private readonly lines: string[] = [];
  private byteCount = 0;
  private wake: (() => void)[] = [];

  constructor(id: string, commit: string) {
    this.id = id;
    this.commit = commit;
  }

  /** Adds a line to what it says. */
  say(line: string): void {
    this.byteCount += line.length;
    if (this.byteCount > OUTPUT_MAX) return;
    this.lines.push(line);
    this.tell();
  }

  end(status: 'succeeded' | 'failed'): void {
    this.status = status;
    this.updatedAt = new Date().toISOString();
    this.tell();
  }

  /** Every line from the first on, until it has ended. */
  async *output(): AsyncGenerator<string> {
    for (let at = 0; ; ) {
      while (at < this.lines.length) yield `${this.lines[at++]}\n`;
      if (this.status !== 'pending') return;
      await new Promise<void>((resolve) => this.wake.push(resolve));
    }
  }

  private tell(): void {
    for (const wake of this.wake.splice(0)) wake();
  }
}

/** Characters of output that are kept. */
const OUTPUT_MAX = 4_000_000;

/** The archive holds more than that, packed. */
export function sourceTooLarge(byteCountMax: number): TailraceError {
  return new TailraceError('too_large', tooLarge(byteCountMax, 'with a .slugignore file'));
}

/** What its owner has to do. */
export function tooLarge(byteCountMax: number, how: string): string {
  return `The source is larger than ${Math.round(byteCountMax / 1_048_576)} MB packed: leave out what isn't needed ${how}.`;
}
