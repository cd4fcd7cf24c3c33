import { TailraceError } from '../../../common/errors.ts';
import { type JsonObject, parseJsonObject } from '../../../common/json-object.ts';
import { assertJsonWithinLimits } from '../../../common/limits/json-scanner.ts';

/** Objects and arrays of an answer; and of what it says of one line, with an error that has a chain of causes. */
const CONTAINERS = 100;
const CONTAINERS_A_LINE = 30;

/**
 * The object that a destination answers with; undefined for what is none, and for more than a destination has to say: a few kilobytes,
 * unpacked, would hold the event loop for seconds.
 * @param lines of which each has a place in it
 */
export function parseAnswer(body: Buffer, lines = 0): JsonObject | undefined {
  try {
    assertJsonWithinLimits(body, {
      depth: 32,
      keys: 1_000,
      containers: CONTAINERS + CONTAINERS_A_LINE * lines,
    });
  } catch (error) {
    if (error instanceof TailraceError) return undefined;
    throw error;
  }
  return parseJsonObject(body.toString());
}
