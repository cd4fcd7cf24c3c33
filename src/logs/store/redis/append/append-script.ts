/**
 * The calls of lua/append.lua: one for all apps that have something to append (in a Cluster, for those of one slot). What
 * comes while calls are on their way gathers for the next: with many apps, hundreds of them share what a call costs.
 */
import { BufferPool, type BufferPoolOptions } from '../../../../common/buffers/buffer-pool.ts';
import { TailraceError } from '../../../../common/errors.ts';
import { HEADROOM } from '../../../syslog/batch.ts';
import type { AppLimitTable } from '../../app-limits.ts';
import type { AppendResult, NamedBatch, Retention, Sequence } from '../../contract.ts';
import { COMMAND_TIMEOUT_MS } from '../connection/clients.ts';
import type { RedisConnection } from '../connection/connection.ts';
import { UnansweredCommand } from '../connection/redis-errors.ts';
import { bulkBytes, encodeBulk, ScriptCall } from '../connection/script-call.ts';
import { APPEND_CHANNELS, type StreamKeys } from '../keys.ts';
import { LUA_SCRIPTS } from '../lua-scripts.ts';
import { packRecordsFast } from '../wasm/wasm-packing.ts';
import { ServerClocks } from './server-clocks.ts';

/** How long frame ids are kept at the least, and how many of them in each of the two generations at the most. */
const FRAME_ID_TTL_MS = 10 * 60_000;
const FRAME_IDS_MAX = 50_000;
/** Of smaller calls most have one batch. */
const CALL_BUFFERS: BufferPoolOptions = { buffersMax: 8, pooledBytesMin: 32_768, stepBytes: 131_072 };
/** How long a call may take to be run: its sender gives it up a little later. */
const CALL_MS = COMMAND_TIMEOUT_MS - 20;
/** Calls that are on their way at once: while Redis works on one, the next is made. */
const CALLS_MAX = 2;
/** Streams and bytes of a call at the most, unless what comes first is larger: Redis does nothing else meanwhile. */
const CALL_STREAMS_MAX = 128;
const CALL_BYTES_MAX = 1_048_576;
/** Arguments that all calls have in common, the number of the call, the deadline. */
const COMMON_ARGUMENTS = 7;
const CALL_BYTES = ScriptCall.headBytes + 1_024;
const DEADLINE_BYTES = 8;
/** Structs of lua/append.lua. */
const HEAD_BYTES = 11;
const HEAD_BATCH_BYTES = 10;
const LIMITS_BYTES = 24;
/** Flags of a head. */
const NAMED = 1;
const OWN_LIMITS = 2;
/** In place of a deadline: what became of the call? */
const ASK = Buffer.from('-');
/** An answer without anything else says that the call came too late. */
const ANSWER_CLOCK = 1;

/** An append with the time at which it was stored. */
export interface TimedAppendResult extends AppendResult {
  readonly storedAtMs: number;
}

/** Batches of one stream, which are stored all or none. */
export interface StreamAppend {
  readonly keys: EncodedStreamKeys;
  /** Its call is about to be made: decides what is in that, where that isn't known yet. When it has nothing, nothing is stored of it. */
  prepare?(): void;
  readonly batches: readonly NamedBatch[];
  /** The lowest sequence that a line may get. */
  readonly lowest: Sequence;
  /** What the stream may hold, where that isn't what all may. */
  readonly retention: Retention | undefined;
  onStored(results: readonly TimedAppendResult[]): void;
  /**
   * They aren't stored, and won't be. With an UnansweredCommand that isn't known: {@link AppendScript.settle} tells.
   * @param call the number of the call that they were in.
   */
  onFailed(error: unknown, call: number): void;
}

/** The keys of a stream, and how a call has them. */
export interface EncodedStreamKeys extends StreamKeys {
  readonly slot: number;
  readonly encoded: Buffer;
  readonly encodedFrameIds: Buffer;
}

export interface AppendScriptOptions {
  readonly connection: RedisConnection;
  readonly limits: AppLimitTable;
  /** Names this process. */
  readonly origin: string;
}

/** What is appended to the streams of a slot. */
interface Lane {
  readonly slot: number;
  waiting: StreamAppend[];
  callsOnTheirWay: number;
  isScheduled: boolean;
}

export class AppendScript {
  private readonly connection: RedisConnection;
  private readonly clocks = new ServerClocks();
  /** To write calls in; used again when Redis has answered. */
  private readonly buffers = new BufferPool(CALL_BUFFERS);
  private readonly commonArguments: Buffer;
  private readonly lanes = new Map<number, Lane>();
  /** Each call has a number of its own. */
  private lastCall = 0;

  constructor({ connection, limits, origin }: AppendScriptOptions) {
    this.connection = connection;
    const { lines, bytes, ageMs } = limits.retention;
    const common = [lines, bytes, ageMs, FRAME_ID_TTL_MS, FRAME_IDS_MAX, origin, APPEND_CHANNELS];
    this.commonArguments = encodeBulk(common);
    connection.onConnect(() => this.clocks.forget());
  }

  /** Keys as a call takes them: encoded once for each stream rather than for each append. */
  encodeKeys(keys: StreamKeys): EncodedStreamKeys {
    const { lines, index, state, frameIds } = keys;
    return {
      ...keys,
      slot: this.connection.slotOf(state),
      encoded: encodeBulk([lines, index, state]),
      encodedFrameIds: encodeBulk(frameIds),
    };
  }

  /**
   * Appends batches to a stream, together with what else is to be appended. Of a stream no other append may be waiting or on its way.
   */
  append(append: StreamAppend): void {
    const { slot } = append.keys;
    let lane = this.lanes.get(slot);
    if (!lane) {
      lane = { slot, waiting: [], callsOnTheirWay: 0, isScheduled: false };
      this.lanes.set(slot, lane);
    }
    lane.waiting.push(append);
    if (lane.isScheduled || lane.callsOnTheirWay === CALLS_MAX) return;
    // The first isn't delayed; those that come in the same turn gather behind it.
    if (lane.callsOnTheirWay === 0) this.sendNext(lane);
    else this.sendAfterThisTurn(lane);
  }

  /**
   * Tells what became of batches whose answer didn't come: undefined when they weren't stored. From then on that is so.
   * @param call the number of the call that they were in.
   */
  async settle(
    keys: EncodedStreamKeys,
    batches: readonly NamedBatch[],
    call: number,
  ): Promise<readonly TimedAppendResult[] | undefined> {
    const asked = [{ keys, batches, lowest: 0, retention: undefined }];
    const bytes = Buffer.allocUnsafeSlow(callBytes(asked));
    const written = this.write(bytes, asked, call, ASK);
    const answer = await this.run(keys, written);
    const results = readStream(answer, ANSWER_CLOCK, batches);
    if (typeof results === 'string') throw this.connection.caughtError(results);
    return results;
  }

  private sendAfterThisTurn(lane: Lane): void {
    lane.isScheduled = true;
    setImmediate(() => {
      lane.isScheduled = false;
      while (lane.waiting.length > 0 && lane.callsOnTheirWay < CALLS_MAX) this.sendNext(lane);
    });
  }

  private sendNext(lane: Lane): void {
    // Counted before: what is closed now may let others go on, who append here, too.
    lane.callsOnTheirWay++;
    const appends = takeWaiting(lane);
    if (appends.length === 0) {
      lane.callsOnTheirWay--;
      return;
    }
    void this.send(lane, appends).then(() => {
      if (lane.waiting.length === 0 && lane.callsOnTheirWay === 0) this.lanes.delete(lane.slot);
    });
  }

  private async send(lane: Lane, appends: readonly StreamAppend[]): Promise<void> {
    const call = ++this.lastCall;
    let answer: readonly unknown[];
    try {
      const bytes = this.buffers.acquire(callBytes(appends));
      answer = await this.runInTime(
        appends,
        this.write(bytes, appends, call, new Uint8Array(DEADLINE_BYTES)),
      );
      // Not after a failure: the command may still be in flight.
      this.buffers.release(bytes);
    } catch (error) {
      this.callEnded(lane);
      for (const append of appends) append.onFailed(error, call);
      return;
    }
    this.callEnded(lane);
    let at = ANSWER_CLOCK;
    for (const append of appends) {
      const results = readStream(answer, at, append.batches);
      if (typeof results === 'object') append.onStored(results);
      else
        append.onFailed(results === undefined ? tookTooLong() : this.connection.caughtError(results), call);
      at += typeof results === 'object' ? 1 + 2 * results.length : 1;
    }
  }

  /** What follows on its answer gathers until the end of this turn. */
  private callEnded(lane: Lane): void {
    lane.callsOnTheirWay--;
    if (!lane.isScheduled) this.sendAfterThisTurn(lane);
  }

  /** Runs the script with a deadline: a Redis that hung must not store what was given up meanwhile. */
  private async runInTime(appends: readonly StreamAppend[], call: WrittenCall): Promise<readonly unknown[]> {
    const [{ keys }] = appends;
    const server = this.connection.serverOf(keys.state);
    // Once more when its clock was set forward meanwhile, which its answer tells.
    for (let attempt = 1; ; attempt++) {
      const deadline = this.clocks.in(CALL_MS, server) ?? (await this.askClock(server, keys)) + CALL_MS;
      call.bytes.writeDoubleLE(deadline, call.deadlineAt);
      const answer = await this.run(keys, call);
      this.clocks.learn(server, answer[0] as number);
      if (answer.length > ANSWER_CLOCK) return answer;
      if (attempt === 2) throw tookTooLong();
    }
  }

  private async run({ state }: StreamKeys, call: WrittenCall): Promise<readonly unknown[]> {
    return (await this.connection.runScriptCall(LUA_SCRIPTS.append, state, call)) as unknown[];
  }

  /** What the clock of a server shows that hasn't said so for long. */
  private async askClock(server: string, { state }: StreamKeys): Promise<number> {
    try {
      const shownMs = (await this.connection.runScript(LUA_SCRIPTS.clock, [state], [])) as number;
      this.clocks.learn(server, shownMs);
      return shownMs;
    } catch (error) {
      // Nothing was appended yet.
      throw error instanceof UnansweredCommand ? new TailraceError(error.code, error.message) : error;
    }
  }

  /** Writes a call; of a question no records. */
  private write(
    bytes: Buffer,
    appends: readonly AppendedBatches[],
    number: number,
    deadline: Uint8Array,
  ): WrittenCall {
    let keyCount = 0;
    for (const { batches } of appends) keyCount += isNamed(batches) ? 5 : 3;
    const call = new WrittenCall(bytes, keyCount);
    for (const { keys, batches } of appends) {
      call.addEncoded(keys.encoded, 3);
      if (isNamed(batches)) call.addEncoded(keys.encodedFrameIds, 2);
    }
    call.addEncoded(this.commonArguments, COMMON_ARGUMENTS);
    call.addEncoded(encodeBulk([number]), 1);
    call.deadlineAt = call.beginBulk(deadline.length);
    bytes.set(deadline, call.deadlineAt);
    call.endBulk(call.deadlineAt + deadline.length);
    for (const { batches, lowest, retention } of appends) {
      writeHead(call, batches, lowest, retention);
      for (const { batch } of batches) {
        const at = call.beginBulk(deadline === ASK ? 0 : batch.bytes.length - HEADROOM);
        call.endBulk(deadline === ASK ? at : packRecordsFast(batch.bytes, bytes, at));
      }
    }
    return call;
  }
}

type AppendedBatches = Pick<StreamAppend, 'keys' | 'batches' | 'lowest' | 'retention'>;

class WrittenCall extends ScriptCall {
  /** Where the deadline is. */
  deadlineAt = 0;
}

function takeWaiting(lane: Lane): readonly StreamAppend[] {
  const { waiting } = lane;
  const taken: StreamAppend[] = [];
  let bytes = 0;
  let count = 0;
  for (; count < waiting.length && taken.length < CALL_STREAMS_MAX; count++) {
    const append = waiting[count];
    if (append.batches.length === 0) append.prepare?.();
    for (const { batch } of append.batches) bytes += batch.bytes.length;
    if (taken.length > 0 && bytes > CALL_BYTES_MAX) break;
    if (append.batches.length > 0) taken.push(append);
    else queueMicrotask(() => append.onStored([]));
  }
  if (count < waiting.length) waiting.splice(0, count);
  else lane.waiting = [];
  return taken;
}

/** Bytes that a call takes at the most. */
function callBytes(appends: readonly AppendedBatches[]): number {
  let bytes = CALL_BYTES;
  for (const { keys, batches } of appends) {
    bytes += keys.encoded.length + keys.encodedFrameIds.length + bulkBytes(HEAD_BYTES + LIMITS_BYTES);
    for (const { batch, frameId } of batches)
      bytes += bulkBytes(batch.bytes.length) + HEAD_BATCH_BYTES + Buffer.byteLength(frameId);
  }
  return bytes;
}

function isNamed(batches: readonly NamedBatch[]): boolean {
  for (const { frameId } of batches) if (frameId !== '') return true;
  return false;
}

/** Structs `<dI2I1`, `<ddd` for limits of its own, and `<I4I4I2` and the frame id for each batch. */
function writeHead(
  call: ScriptCall,
  batches: readonly NamedBatch[],
  lowest: Sequence,
  retention: Retention | undefined,
): void {
  const { bytes } = call;
  let length = HEAD_BYTES + (retention ? LIMITS_BYTES : 0) + batches.length * HEAD_BATCH_BYTES;
  for (const { frameId } of batches) if (frameId !== '') length += Buffer.byteLength(frameId);
  let at = call.beginBulk(length);
  at = bytes.writeDoubleLE(lowest, at);
  at = bytes.writeUInt16LE(batches.length, at);
  bytes[at++] = (isNamed(batches) ? NAMED : 0) + (retention ? OWN_LIMITS : 0);
  if (retention) {
    at = bytes.writeDoubleLE(retention.lines, at);
    at = bytes.writeDoubleLE(retention.bytes, at);
    at = bytes.writeDoubleLE(retention.ageMs, at);
  }
  for (const { batch, frameId } of batches) {
    at = bytes.writeUInt32LE(batch.count, at);
    at = bytes.writeUInt32LE(batch.bytes.length, at);
    const idLength = frameId === '' ? 0 : bytes.write(frameId, at + 2);
    bytes.writeUInt16LE(idLength, at);
    at += 2 + idLength;
  }
  call.endBulk(at);
}

/** What became of the batches of a stream, in an answer from a position on: undefined when they were given up, or an error's text. */
function readStream(
  answer: readonly unknown[],
  at: number,
  batches: readonly NamedBatch[],
): readonly TimedAppendResult[] | string | undefined {
  const storedAtMs = answer[at];
  if (typeof storedAtMs !== 'number') return String(storedAtMs);
  if (storedAtMs === 0) return undefined;
  return batches.map(({ batch }, i) => {
    const first = answer[at + 1 + i * 2] as number;
    return { first, last: first + batch.count - 1, duplicate: answer[at + 2 + i * 2] === 1, storedAtMs };
  });
}

function tookTooLong(): TailraceError {
  return new TailraceError('unavailable', 'Redis took too long to append: send again.');
}
