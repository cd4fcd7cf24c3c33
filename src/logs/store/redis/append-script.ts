/** The calls of lua/append.lua: their arguments and answers, and the time that they have. */
import { BufferPool, type BufferPoolOptions } from '../../../common/buffers/buffer-pool.ts';
import { TailraceError } from '../../../common/errors.ts';
import type { AppendResult, NamedBatch, Retention, Sequence } from '../contract.ts';
import { COMMAND_TIMEOUT_MS } from './connection/clients.ts';
import type { RedisArgument, RedisConnection } from './connection/connection.ts';
import { UnansweredCommand } from './connection/redis-errors.ts';
import type { StreamKeys } from './keys.ts';
import { LUA_SCRIPTS } from './lua-scripts.ts';
import { packRecords } from './packing.ts';
import { ServerClocks } from './server-clocks.ts';

/** How long frame ids are kept at the least, and how many of them in each of the two generations at the most. */
const FRAME_ID_TTL_MS = 10 * 60_000;
const FRAME_IDS_MAX = 50_000;
/** Of a larger call most batches are small. */
const PACK_BUFFERS: BufferPoolOptions = { buffersMax: 8, pooledBytesMin: 32_768, stepBytes: 131_072 };
/** How long a call may take to be run: its sender gives it up a little later. */
const CALL_MS = COMMAND_TIMEOUT_MS - 20;
/** Where the deadline is among the arguments. */
const DEADLINE_ARGUMENT = 9;
const NO_DEADLINE = 0;
/** In place of a deadline: what became of the call? */
const ASK = '-';
/** Values of an answer before those of the batches; one that has no others says that nothing was stored. */
const ANSWER_HEAD = 2;
const ANSWER_TOO_LATE = 1;

/** An append with the time at which it was stored. */
export interface TimedAppendResult extends Omit<AppendResult, 'retainedByReaders'> {
  readonly storedAtMs: number;
}

export interface AppendScriptOptions {
  readonly connection: RedisConnection;
  readonly retention: Retention;
  /** Names this process. */
  readonly origin: string;
}

export class AppendScript {
  private readonly options: AppendScriptOptions;
  private readonly clocks = new ServerClocks();
  /** To pack batches in; used again when Redis has answered. */
  private readonly buffers = new BufferPool(PACK_BUFFERS);

  constructor(options: AppendScriptOptions) {
    this.options = options;
    options.connection.onConnect(() => this.clocks.forget());
  }

  /**
   * Appends batches, all of them or none, under the number of a call. Nothing is stored any more once the call was given up.
   *
   * @param lowest the lowest sequence that a line may get.
   * @throws UnansweredCommand when it isn't known whether they are stored: {@link settle} tells.
   */
  async append(
    keys: StreamKeys,
    number: number,
    batches: readonly NamedBatch[],
    lowest: Sequence,
  ): Promise<readonly TimedAppendResult[]> {
    const args = this.callArguments(lowest, keys, number, NO_DEADLINE);
    const acquired: Buffer[] = [];
    for (const { batch, frameId } of batches) {
      const buffer = this.buffers.acquire(batch.bytes.length);
      acquired.push(buffer);
      args.push(batch.count, batch.bytes.length, frameId, packRecords(batch.bytes, buffer));
    }
    const answer = await this.runInTime(keys, args);
    // Not after a failure: the command may still be in flight.
    for (const buffer of acquired) this.buffers.release(buffer);
    return readAnswer(answer, batches);
  }

  /**
   * Tells what became of the newest call, whose answer didn't come: undefined when it wasn't stored. From then on that is so.
   */
  async settle(
    keys: StreamKeys,
    number: number,
    batches: readonly NamedBatch[],
  ): Promise<readonly TimedAppendResult[] | undefined> {
    const args = this.callArguments(0, keys, number, ASK);
    for (const { batch, frameId } of batches) args.push(batch.count, batch.bytes.length, frameId, '');
    const answer = await this.run(keys, args);
    return answer.length > ANSWER_HEAD ? readAnswer(answer, batches) : undefined;
  }

  /** Runs the script with a deadline: a Redis that hung must not store what was given up meanwhile. */
  private async runInTime(keys: StreamKeys, args: RedisArgument[]): Promise<readonly number[]> {
    const server = this.options.connection.serverOf(keys.state);
    // Once more when its clock was set forward meanwhile, which its answer tells.
    for (let attempt = 1; ; attempt++) {
      args[DEADLINE_ARGUMENT] =
        this.clocks.in(CALL_MS, server) ?? (await this.askClock(server, keys)) + CALL_MS;
      const answer = await this.run(keys, args);
      this.clocks.learn(server, answer[0]);
      if (answer.length > ANSWER_HEAD) return answer;
      if (answer.length > ANSWER_TOO_LATE || attempt === 2)
        throw new TailraceError('unavailable', 'Redis took too long to append: send again.');
    }
  }

  private async run({ lines, index, state, frameIds }: StreamKeys, args: RedisArgument[]): Promise<number[]> {
    const keys = [lines, index, state, ...frameIds];
    return (await this.options.connection.runScript(LUA_SCRIPTS.append, keys, args)) as number[];
  }

  /** What the clock of a server shows that hasn't said so for long. */
  private async askClock(server: string, { state }: StreamKeys): Promise<number> {
    try {
      const shownMs = (await this.options.connection.runScript(LUA_SCRIPTS.clock, [state], [])) as number;
      this.clocks.learn(server, shownMs);
      return shownMs;
    } catch (error) {
      // Nothing was appended yet.
      throw error instanceof UnansweredCommand ? new TailraceError(error.code, error.message) : error;
    }
  }

  /** All before those of the batches: see lua/append.lua. */
  private callArguments(
    lowest: Sequence,
    { channel }: StreamKeys,
    number: number,
    deadline: number | string,
  ): RedisArgument[] {
    const { retention, origin } = this.options;
    return [
      retention.lines,
      retention.bytes,
      retention.ageMs,
      FRAME_ID_TTL_MS,
      FRAME_IDS_MAX,
      lowest,
      channel,
      origin,
      number,
      deadline,
    ];
  }
}

/** What became of each batch, from an answer of the script. */
function readAnswer(answer: readonly number[], batches: readonly NamedBatch[]): readonly TimedAppendResult[] {
  const storedAtMs = answer[1];
  return batches.map(({ batch }, i) => {
    const first = answer[ANSWER_HEAD + i * 2];
    const last = first + batch.count - 1;
    return { first, last, duplicate: answer[ANSWER_HEAD + i * 2 + 1] === 1, storedAtMs };
  });
}
