/** The lines of all streams: what is packed, and what is still in the streams. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TailraceError } from '../../../src/common/errors.ts';
import { makeDirectory } from '../../../src/common/files/make-directory.ts';
import { withKnownSender } from '../../../src/logs/query/known-sender.ts';
import type { QueryNode } from '../../../src/logs/query/query-syntax.ts';
import type { AppId, Sequence, Store, StreamDamage } from '../../../src/logs/store/contract.ts';
import { RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { readRecord } from '../../../src/logs/syslog/record.ts';
import type {
  CountBucket,
  CountRequest,
  FieldRequest,
  FieldValues,
  FoundLine,
  ImportedLine,
  LineRef,
  LineSelection,
  LineStore,
  PartDamage,
  SearchLimits,
  SearchRequest,
  SearchResult,
  StreamSummary,
} from './contract.ts';
import { fieldNamesOf } from './fields/field-names.ts';
import { filterPlan } from './filter/filter-plan.ts';
import { importLines } from './import-lines.ts';
import { Indexer } from './indexer/indexer.ts';
import type { BlockFault, JobRunner } from './jobs/job.ts';
import { linkParts } from './parts/link-parts.ts';
import type { Part } from './parts/part.ts';
import { missingRanges } from './parts/part-names.ts';
import { type MissingPart, StreamParts } from './parts/stream-parts.ts';
import { readLines } from './search/read-lines.ts';
import { assertLimit, searchLines } from './search/search-lines.ts';
import { type PlannedQuery, StreamView, ViewOutdated } from './search/stream-view.ts';
import { countLines, countValues } from './search/tally.ts';

const STREAM_NAME = /^[\w-]{1,64}$/;
/** Lines whose fields are looked at for their names. */
const SAMPLE_LINES = 500;
/** How often something is looked for anew when files have changed under it. */
const VIEWS_MAX = 3;
const DEFAULT_SEAL_AFTER_MS = 6 * 3_600_000;

export interface LineStoreOptions {
  /** Where parts are kept: a folder for each stream in it. */
  readonly folder: string;
  /** Where the streams are. */
  readonly store: Store;
  /** Does the work that takes long. */
  readonly runner: JobRunner;
  /** Lines of a stream that few come to are packed after this time at the latest: its retention must be longer. */
  readonly sealAfterMs?: number;
  /** Called with a sentence about what doesn't work as it should. */
  readonly onProblem?: (message: string) => void;
}

export class PackedLineStore implements LineStore {
  private readonly folder: string;
  private readonly store: Store;
  private readonly runner: JobRunner;
  private readonly indexer: Indexer;
  /** By file. */
  private readonly damages = new Map<string, readonly PartDamage[]>();
  /** Lines that streams have lost, packed or not. */
  private readonly streamDamages: StreamDamage[] = [];
  private readonly stopWatching: () => void;
  /** See {@link receivedMs}. */
  private readonly received = new WeakMap<Part, number>();
  /** Streams that had a folder when this was opened. */
  private readonly folders = new Set<string>();
  private readonly onProblem: (message: string) => void;
  /** Resolves when lines may be added to the streams that it has parts of. */
  readonly ready: Promise<void>;

  constructor(options: LineStoreOptions) {
    this.folder = options.folder;
    this.store = options.store;
    this.runner = options.runner;
    this.onProblem = options.onProblem ?? (() => {});
    makeDirectory(this.folder, 0o700);
    this.indexer = new Indexer({
      store: this.store,
      runner: this.runner,
      sealAfterMs: options.sealAfterMs ?? DEFAULT_SEAL_AFTER_MS,
      onProblem: this.onProblem,
    });
    // What was there before the process began is known at once.
    for (const entry of readdirSync(this.folder, { withFileTypes: true }))
      if (entry.isDirectory() && STREAM_NAME.test(entry.name)) this.folders.add(entry.name);
    this.ready = Promise.all([...this.folders].map((name) => this.follow(name as AppId))).then(() => {});
    // It takes a while when there are many files; nobody has to wait for it.
    this.ready.then(() => this.checkFiles()).catch(() => {});
    // Who waits for it is told; nobody else has to be.
    this.ready.catch(() => {});
    this.stopWatching = this.store.watchDamage((damage) => {
      this.streamDamages.push(damage);
      if (this.indexer.get(damage.app)) this.reportStreamDamage(damage);
    });
  }

  /** Streams that had packed lines when this was opened. */
  get storedStreams(): readonly AppId[] {
    return [...this.folders].map((name) => name as AppId);
  }

  /** Packs a stream from now on; called again, it does nothing. Lines may be added to the stream when it has resolved. */
  async follow(stream: AppId): Promise<void> {
    if (this.indexer.get(stream)) return;
    if (!STREAM_NAME.test(stream)) throw new TailraceError('invalid_params', `"${stream}" is no stream.`);
    const parts = new StreamParts(
      join(this.folder, stream),
      stream,
      (part, lines, reason) => this.reportDamage({ file: part.path, stream: part.stream, lines, reason }),
      this.folders.has(stream),
    );
    const { packedThrough, missing } = parts;
    const followed = this.indexer.follow(parts);
    const { first } = await this.store.bounds(stream);
    for (const part of missing) this.reportMissing(stream, part, packedThrough, first);
    // The stream has let go what was packed, and no part has it.
    const isListed = missing.some(({ range }) => range.last >= first - 1);
    const damages = this.streamDamages.filter(({ app }) => app === stream);
    if (!isListed)
      for (const lines of missingRanges({ first: packedThrough + 1, last: first - 1 }, damages))
        this.reportDamage({
          file: parts.folder,
          stream,
          lines,
          reason: 'the files that they were in are gone',
        });
    for (const damage of damages) this.reportStreamDamage(damage);
    await followed;
  }

  /** Of lines that a stream has lost, those are lost that no part has. */
  private reportStreamDamage({ app, first, last }: StreamDamage): void {
    for (const lines of this.indexer.get(app)?.parts.unpacked({ first, last }) ?? [])
      this.reportDamage({
        file: `streams/${app}`,
        stream: app,
        lines,
        reason: 'the file in which they waited to be packed is damaged, or gone',
      });
  }

  /** Looks whether all files are there, and as long as they were. */
  async checkFiles(): Promise<void> {
    for (const stream of this.indexer.followed()) {
      const parts = this.indexer.get(stream)?.parts;
      if (!parts || parts.all.length === 0) continue;
      for (const part of await parts.check()) this.reportMissing(stream, part, Number.MAX_SAFE_INTEGER, 0);
    }
  }

  /** @param keptFrom what the stream has from here on is packed anew */
  private reportMissing(
    stream: AppId,
    { path, range, lines, minMs, maxMs }: MissingPart,
    packedThrough: Sequence,
    keptFrom: Sequence,
  ): void {
    const isKept = range.last > packedThrough && keptFrom <= range.last && keptFrom > 0;
    const last = isKept ? keptFrom - 1 : range.last;
    if (last < range.first) return;
    this.reportDamage({
      file: path,
      stream,
      lines: { first: range.first, last },
      times: { firstMs: minMs, lastMs: maxMs },
      reason: `its file is gone, with ${lines} lines`,
    });
  }

  /** Lines up to here are in parts, synced: the stream may trim them. */
  packedThrough(stream: AppId): Sequence {
    return this.indexer.get(stream)?.parts.packedThrough ?? 0;
  }

  /** Packs what a stream has now; resolves when it is synced. */
  seal(stream: AppId): Promise<void> {
    return this.indexer.seal(stream);
  }

  async search(request: SearchRequest, limits: SearchLimits = {}): Promise<SearchResult> {
    assertLimit(request.limit);
    return this.withViews(request, (views) =>
      searchLines(views, request, limits, this.runner, this.reportFault),
    );
  }

  async counts(request: CountRequest, limits: SearchLimits = {}): Promise<readonly CountBucket[]> {
    return this.withViews(request, (views) => countLines(views, request, this.tallying(limits)));
  }

  async fieldValues(request: FieldRequest, limits: SearchLimits = {}): Promise<FieldValues> {
    assertLimit(request.limit);
    return this.withViews(request, (views) => countValues(views, request, this.tallying(limits)));
  }

  async fieldNames(selection: LineSelection, limits: SearchLimits = {}): Promise<readonly string[]> {
    const { lines } = await this.search({ ...selection, direction: 'before', limit: SAMPLE_LINES }, limits);
    const counts = new Map<string, number>();
    for (const { record } of lines) {
      const line = new RecordCursor(record, 0);
      line.advance();
      for (const name of fieldNamesOf(readRecord(line, record)))
        counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([name]) => name);
  }

  async context({ stream, sequence }: LineRef, before: number, after: number): Promise<readonly FoundLine[]> {
    return this.withViews({ streams: [stream] }, async (views) => {
      const lines: FoundLine[] = [];
      for (const view of views)
        for await (const some of readLines(
          view,
          sequence - before,
          sequence + after,
          this.runner,
          this.reportFault,
        ))
          lines.push(...some);
      return lines.some((line) => line.sequence === sequence) ? lines : [];
    });
  }

  async *read(
    stream: AppId,
    after: Sequence,
    limits: SearchLimits = {},
  ): AsyncGenerator<readonly FoundLine[]> {
    let next = after + 1;
    for (let left = VIEWS_MAX; ; left--) {
      const [view] = this.viewsOf({ streams: [stream] });
      if (!view) return;
      try {
        const end = Number.MAX_SAFE_INTEGER;
        for await (const lines of readLines(view, next, end, this.runner, this.reportFault)) {
          limits.signal?.throwIfAborted();
          yield lines;
          next = lines[lines.length - 1].sequence + 1;
          left = VIEWS_MAX;
        }
        return;
      } catch (error) {
        if (!(error instanceof ViewOutdated) || left === 0) throw error;
      } finally {
        view.release();
      }
    }
  }

  async importLines(
    stream: AppId,
    importId: string,
    lines: AsyncIterable<readonly ImportedLine[]>,
  ): Promise<number> {
    await this.follow(stream);
    const indexer = this.indexer.get(stream);
    return indexer ? importLines(indexer.parts, importId, lines, this.runner) : 0;
  }

  async removeBefore(stream: AppId, ms: number, upTo: Sequence = Number.MAX_SAFE_INTEGER): Promise<number> {
    const parts = this.indexer.get(stream)?.parts;
    if (!parts) return 0;
    parts.forgetMissing(({ maxMs }) => maxMs < ms);
    const old: Part[] = [];
    // Sequences of imports are below 1.
    for (const part of parts.all)
      if (
        part.last > 0 &&
        part.last <= upTo &&
        part.contents.maxMs < ms &&
        (await this.receivedMs(part)) < ms
      )
        old.push(part);
    return removeParts(
      parts,
      old.filter((part) => parts.all.includes(part)),
    );
  }

  /** When the last line of a part was received: its sender's clock may be years behind. */
  private async receivedMs(part: Part): Promise<number> {
    let ms = this.received.get(part);
    if (ms === undefined) {
      const [line] = await this.context({ stream: part.stream, sequence: part.last }, 0, 0);
      ms = line?.receivedAtMs ?? part.contents.maxMs;
      this.received.set(part, ms);
    }
    return ms;
  }

  async shrinkTo(
    stream: AppId,
    diskBytes: number,
    upTo: Sequence = Number.MAX_SAFE_INTEGER,
  ): Promise<number> {
    const parts = this.indexer.get(stream)?.parts;
    if (!parts) return 0;
    let excess = parts.all.reduce((sum, { contents }) => sum + contents.diskBytes, 0) - diskBytes;
    const oldest = parts.all
      .filter(({ last }) => last <= upTo)
      .sort((a, b) => a.contents.maxMs - b.contents.maxMs || a.first - b.first);
    const removed: Part[] = [];
    for (const part of oldest) {
      if (excess <= 0) break;
      excess -= part.contents.diskBytes;
      removed.push(part);
    }
    return removeParts(parts, removed);
  }

  async deleteLines(
    stream: AppId,
    { query, fromMs, toMs }: Omit<LineSelection, 'streams' | 'senders'>,
    isDryRun = false,
  ): Promise<number> {
    const parts = this.indexer.get(stream)?.parts;
    if (!parts) return 0;
    // All that there is now is in parts then.
    await this.indexer.seal(stream);
    const selection = {
      stream,
      query,
      fromMs: fromMs ?? Number.NEGATIVE_INFINITY,
      toMs: toMs ?? Number.POSITIVE_INFINITY,
    };
    return this.indexer.whileIdle(async () => {
      const erased = new Set<Sequence>();
      const damaged: string[] = [];
      for (const part of parts.all) {
        const { blocks, minMs, maxMs } = part.contents;
        if (maxMs < selection.fromMs || minMs >= selection.toMs) continue;
        const path = parts.unfinishedPath();
        const source = { path: part.path, blocks };
        const reply = await this.runner.run({ kind: 'erase', path, source, selection, isDryRun });
        if (reply.faults.length > 0) damaged.push(part.path);
        else {
          for (const sequence of reply.erased) erased.add(sequence);
          if (isDryRun || reply.erased.length === 0) continue;
          if (reply.part) parts.replace([part], reply.part);
          else parts.remove([part]);
        }
      }
      if (!isDryRun && erased.size > 0) {
        const { last } = await this.store.bounds(stream);
        await this.store.deleteLines(stream, { first: 1, last }, (batch) => {
          const own = new Set<Sequence>();
          for (let sequence = batch.first; sequence <= batch.last; sequence++)
            if (erased.has(sequence)) own.add(sequence);
          return own;
        });
      }
      if (damaged.length > 0)
        throw new TailraceError(
          'unavailable',
          `${damaged.join(', ')} ${damaged.length > 1 ? 'are' : 'is'} damaged, and stays as it is; ${erased.size} lines of other files ${isDryRun ? 'match' : 'were deleted'}.`,
        );
      return erased.size;
    });
  }

  /**
   * Links the files of all streams, as they are now, into a folder each of another one on the same disk.
   * @returns up to where each stream's lines are in them
   */
  async linkFiles(folder: string): Promise<ReadonlyMap<AppId, Sequence>> {
    const through = new Map<AppId, Sequence>();
    for (const stream of this.indexer.followed()) {
      const parts = this.indexer.get(stream)?.parts;
      if (!parts) continue;
      linkParts(parts.folder, join(folder, stream));
      through.set(stream, parts.packedThrough);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return through;
  }

  async dropStream(stream: AppId): Promise<void> {
    const parts = this.indexer.get(stream)?.parts;
    await this.indexer.forget(stream);
    for (const part of parts?.all ?? []) part.remove();
    this.folders.delete(stream);
    if (STREAM_NAME.test(stream)) rmSync(join(this.folder, stream), { recursive: true, force: true });
  }

  async summaries(): Promise<readonly StreamSummary[]> {
    const summaries: StreamSummary[] = [];
    for (const stream of this.indexer.followed()) summaries.push(await this.summary(stream));
    return summaries;
  }

  get trouble(): string | undefined {
    return this.indexer.trouble;
  }

  damage(): readonly PartDamage[] {
    return [...this.damages.values()].flat();
  }

  async close(): Promise<void> {
    this.stopWatching();
    await this.indexer.close();
    await this.runner.close();
  }

  private async summary(stream: AppId): Promise<StreamSummary> {
    const parts = this.indexer.get(stream)?.parts;
    let [lines, rawBytes, diskBytes] = [0, 0, 0];
    let firstMs = Number.POSITIVE_INFINITY;
    let lastMs = Number.NEGATIVE_INFINITY;
    for (const { contents } of parts?.all ?? []) {
      lines += contents.lines;
      rawBytes += contents.rawBytes;
      diskBytes += contents.diskBytes;
      firstMs = Math.min(firstMs, contents.minMs);
      lastMs = Math.max(lastMs, contents.maxMs);
    }
    const { first, last, bytes } = await this.store.bounds(stream);
    const unpacked = last - Math.max(parts?.packedThrough ?? 0, first - 1);
    if (unpacked > 0) {
      const share = Math.round((bytes * unpacked) / (last - first + 1));
      lines += unpacked;
      rawBytes += share;
      diskBytes += share;
      const [oldest] = await this.store.read(stream, last - unpacked, 1);
      const [newest] = await this.store.readBefore(stream, last + 1, 1);
      if (oldest) firstMs = Math.min(firstMs, oldest.storedAtMs);
      if (newest) lastMs = Math.max(lastMs, newest.storedAtMs);
    }
    return {
      stream,
      lines,
      rawBytes,
      diskBytes,
      firstMs: Number.isFinite(firstMs) ? firstMs : undefined,
      lastMs: Number.isFinite(lastMs) ? lastMs : undefined,
    };
  }

  private tallying(limits: SearchLimits) {
    return { runner: this.runner, limits, report: this.reportFault };
  }

  private viewsOf({ streams, query, senders }: LineSelection): StreamView[] {
    const views: StreamView[] = [];
    // Of most streams it is the same query.
    const planned = new Map<QueryNode, PlannedQuery>();
    const plannedOf = (own: QueryNode): PlannedQuery => {
      const known = planned.get(own) ?? { query: own, plan: filterPlan(own) };
      planned.set(own, known);
      return known;
    };
    for (const stream of new Set(streams)) {
      const indexer = this.indexer.get(stream);
      if (!indexer) continue;
      const sender = senders?.get(stream);
      const own = query && sender !== undefined ? withKnownSender(query, sender) : query;
      views.push(new StreamView(stream, own && plannedOf(own), indexer, this.store));
    }
    return views;
  }

  private async withViews<T>(
    selection: LineSelection,
    use: (views: readonly StreamView[]) => Promise<T>,
  ): Promise<T> {
    for (let left = VIEWS_MAX; ; left--) {
      const views = this.viewsOf(selection);
      try {
        return await use(views);
      } catch (error) {
        if (!(error instanceof ViewOutdated) || left === 0) throw error;
      } finally {
        for (const view of views) view.release();
      }
    }
  }

  private readonly reportFault = (file: string, stream: AppId, { first, last, reason }: BlockFault): void =>
    this.reportDamage({ file, stream, lines: { first, last }, reason });

  private reportDamage(damage: PartDamage): void {
    const known = this.damages.get(damage.file) ?? [];
    if (known.some((one) => covers(one, damage))) return;
    this.damages.set(damage.file, [...known.filter((one) => !covers(damage, one)), damage]);
    const which = damage.lines ? `lines ${damage.lines.first} to ${damage.lines.last}` : 'lines';
    const { times } = damage;
    const when = times ? ` of ${isoTime(times.firstMs)} to ${isoTime(times.lastMs)}` : '';
    this.onProblem(
      `${damage.file} is damaged, and ${which} of stream ${damage.stream}${when} are lost: ${damage.reason}.`,
    );
  }
}

/** Is what is lost by one part of what is by another? */
function covers(one: PartDamage, other: PartDamage): boolean {
  if (!one.lines || !other.lines) return one.lines === undefined && other.lines === undefined;
  return one.lines.first <= other.lines.first && other.lines.last <= one.lines.last;
}

function isoTime(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : 'an unknown time';
}

function removeParts(parts: StreamParts, removed: readonly Part[]): number {
  const lines = removed.reduce((sum, { contents }) => sum + contents.lines, 0);
  parts.remove(removed);
  return lines;
}
