import { TailraceError } from '../../common/errors.ts';
import { GrowingText } from './growing-text.ts';

/** One build, from its beginning: its output can be followed while it runs, and read afterwards. */
export class Build {
  readonly id: string;
  readonly commit: string;
  readonly createdAt = new Date().toISOString();
  updatedAt = this.createdAt;
  status: 'pending' | 'succeeded' | 'failed' = 'pending';
  buildpack = '';
  slug: string | null = null;
  release: { readonly id: string; readonly version: number } | null = null;
  private readonly text = new GrowingText(OUTPUT_CHARS_MAX);

  constructor(id: string, commit: string) {
    this.id = id;
    this.commit = commit;
  }

  /** Adds a line to its output. */
  appendOutput(line: string): void {
    this.text.append(line);
  }

  finish(status: 'succeeded' | 'failed'): void {
    this.status = status;
    this.updatedAt = new Date().toISOString();
    this.text.end();
  }

  /** Every line from the first on, until it has finished. */
  output(): AsyncGenerator<string> {
    return this.text.read();
  }
}

/** Characters of output that are kept. */
const OUTPUT_CHARS_MAX = 4_000_000;

/** The source archive is larger than `byteCountMax`. */
export function sourceTooLargeError(byteCountMax: number): TailraceError {
  return new TailraceError('too_large', sourceTooLargeMessage(byteCountMax, 'with a .slugignore file'));
}

/** Why a source can't be built. @param advice how to leave files out */
export function sourceTooLargeMessage(byteCountMax: number, advice: string): string {
  return `The source is larger than ${Math.round(byteCountMax / 1_048_576)} MB packed: leave out what isn't needed ${advice}.`;
}
