/** A reader of bytes that anybody may send, and what it promises for any of them. */
export interface FuzzTarget {
  readonly name: string;
  /** Well-formed input, which is what is changed; text is UTF-8. */
  readonly seeds: readonly (string | Buffer)[];
  /** Words of the format, put in where chance has it. */
  readonly words?: readonly (string | Buffer)[];
  /** Longest input, bytes. */
  readonly bytesMax?: number;
  /** Reads `input`, which it must not change. Whatever it throws is a broken promise: an error of the reader's own kind is caught in it. */
  readonly check: (input: Buffer) => void | Promise<void>;
}

export const INPUT_BYTES_MAX = 4_096;

/** What a target did with an input that it should not have. */
export interface FuzzFinding {
  readonly target: string;
  readonly input: Buffer;
  readonly error: unknown;
}

/** What an input broke; undefined when every promise was kept. */
export async function errorOf({ check }: FuzzTarget, input: Buffer): Promise<unknown> {
  try {
    const result = check(input);
    // Not for the others: a turn of the event loop an input is most of their time.
    if (result) await result;
    return undefined;
  } catch (error) {
    return error ?? new Error('undefined was thrown');
  }
}
