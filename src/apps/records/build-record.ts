import { TailraceError } from '../../common/errors.ts';
import { GrowingText } from './growing-text.ts';

/** A build as it is kept, under `build/<id>` in its app's scope. */
export interface BuildRecord {
  readonly id: string;
  readonly commit: string;
  readonly status: 'pending' | 'succeeded' | 'failed';
  readonly buildpack: string;
  readonly slug: string | null;
  readonly release: { readonly id: string; readonly version: number } | null;
  /** The server that made it, and has what it said. */
  readonly server: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** One build, from its beginning: its output can be followed while it runs, and read afterwards. */
export class Build {
  readonly id: string;
  readonly commit: string;
  createdAt = new Date().toISOString();
  updatedAt = this.createdAt;
  status: BuildRecord['status'] = 'pending';
  buildpack = '';
  slug: string | null = null;
  release: BuildRecord['release'] = null;
  private readonly cancellation = new AbortController();
  private isReleasing = false;
  private text = new GrowingText(OUTPUT_CHARS_MAX);
  private readStored: (() => AsyncGenerator<string>) | undefined;

  constructor(id: string, commit: string) {
    this.id = id;
    this.commit = commit;
  }

  /** A build that was kept. */
  static restore({ id, commit, status, buildpack, slug, release, createdAt, updatedAt }: BuildRecord): Build {
    return Object.assign(new Build(id, commit), { status, buildpack, slug, release, createdAt, updatedAt });
  }

  /** As it is kept. @param server that made it, see {@link BuildRecord.server} */
  toRecord(server: string): BuildRecord {
    const { id, commit, status, buildpack, slug, release, createdAt, updatedAt } = this;
    return { id, commit, status, buildpack, slug, release, server, createdAt, updatedAt };
  }

  /** Aborted when it is canceled. */
  get canceled(): AbortSignal {
    return this.cancellation.signal;
  }

  /** @throws TailraceError `conflict` when it is over, or its release is being made */
  cancel(): void {
    if (this.status !== 'pending')
      throw new TailraceError('conflict', `This build is over: it has ${this.status}.`);
    if (this.isReleasing)
      throw new TailraceError(
        'conflict',
        'This build is done, and is being released: `tailrace ps:stop release` stops a release command, `tailrace rollback` takes a release back.',
      );
    this.cancellation.abort();
  }

  /** From now on it can't be canceled any more. @returns false when it was */
  beginRelease(): boolean {
    this.isReleasing = !this.canceled.aborted;
    return this.isReleasing;
  }

  /** Adds a line to its output. */
  appendOutput(line: string): void {
    this.text.append(line);
  }

  /** It is over: those who follow its output get the end of it. */
  finish(status: 'succeeded' | 'failed'): void {
    this.status = status;
    this.updatedAt = new Date().toISOString();
    this.text.end();
  }

  /** Every line from the first on, until it has finished. */
  output(): AsyncGenerator<string> {
    return this.readStored?.() ?? this.text.read();
  }

  /** What it has said so far, while it isn't read from elsewhere. */
  outputText(): string {
    return this.text.toString();
  }

  /** Its output is kept elsewhere from now on. */
  readOutputFrom(read: () => AsyncGenerator<string>): void {
    this.readStored = read;
    this.text = new GrowingText(0);
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
