import { existsSync } from 'node:fs';
import type { AppId } from '../../contract.ts';
import type { Segment } from '../segments/segment.ts';
import type { AppStream } from './app-stream.ts';

/** Segments whose files are looked for with one call. */
const LOOKED_FOR_AT_ONCE = 500;

/** Segments whose files somebody took away while they were used. Call it only while the data folder is in its place. */
export class MissingSegments {
  private readonly streamOf = new Map<Segment, AppStream>();
  /** Those that are looked for next. */
  private unchecked: [AppId, Segment][] = [];
  private readonly onChanged: (paths: readonly string[]) => void;

  /** @param onChanged called with the paths of all of them, whenever there are more or fewer */
  constructor(onChanged: (paths: readonly string[]) => void) {
    this.onChanged = onChanged;
  }

  /** A segment's file is gone: its lines count as lost, and if it was the one that is written to, the next batch begins another. */
  add(stream: AppStream, segment: Segment): void {
    if (this.streamOf.has(segment) || !stream.segments.includes(segment)) return;
    this.streamOf.set(segment, stream);
    if (segment === stream.segments.at(-1) && !segment.sealed) stream.abandon(segment);
    else stream.segmentIsGone(segment);
    this.report();
  }

  /** Looks whether files are there, or there again: some each time, so that what nobody reads or writes is missed too. */
  check(open: ReadonlyMap<AppId, { readonly stream: AppStream }>): void {
    const before = this.streamOf.size;
    for (const [segment, stream] of this.streamOf)
      if (existsSync(segment.path) || !stream.segments.includes(segment)) this.streamOf.delete(segment);
    if (this.streamOf.size < before) this.report();
    if (this.unchecked.length === 0)
      for (const [app, { stream }] of open)
        for (const segment of stream.segments) this.unchecked.push([app, segment]);
    for (const [app, segment] of this.unchecked.splice(-LOOKED_FOR_AT_ONCE)) {
      const stream = open.get(app)?.stream;
      if (stream && !existsSync(segment.path)) this.add(stream, segment);
    }
  }

  /** A stream is removed, and with it what was gone of it. */
  forget(stream: AppStream): void {
    for (const segment of stream.segments) this.streamOf.delete(segment);
    this.report();
  }

  private report(): void {
    this.onChanged([...this.streamOf.keys()].map(({ path }) => path));
  }
}
