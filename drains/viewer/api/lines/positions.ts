/**
 * A position in many streams at once: how far each of them was read. It is what a tail goes on from, and up to where a search looks, so
 * that both together give every line once.
 */
import { TailraceError } from '../../../../src/common/errors.ts';
import type { AppId, Sequence, Store } from '../../../../src/logs/store/contract.ts';
import type { LogStreamRecord } from '../../groups/group-records.ts';

/** Sequences by stream; one that isn't in it was not read at all. */
export type StreamPositions = ReadonlyMap<AppId, Sequence>;

const PAIR = /^([0-9a-z]{1,7})\.([0-9a-z]{1,11})$/;
const RADIX = 36;

type NumberedStream = Pick<LogStreamRecord, 'id' | 'number'>;

/** How far streams go now. */
export async function newestPositions(
  records: Pick<Store, 'bounds'>,
  streams: readonly NumberedStream[],
): Promise<Map<AppId, Sequence>> {
  const positions = new Map<AppId, Sequence>();
  for (const { id } of streams) positions.set(id, (await records.bounds(id)).last);
  return positions;
}

/** `1.2s-4.0`: number of the stream and sequence, both to the base of 36. */
export function writePositions(positions: StreamPositions, streams: readonly NumberedStream[]): string {
  const pairs = streams.flatMap(({ id, number }) => {
    const sequence = positions.get(id);
    return sequence === undefined ? [] : `${number.toString(RADIX)}.${sequence.toString(RADIX)}`;
  });
  return pairs.join('-') || '0.0';
}

/** @throws TailraceError `invalid_params` for what isn't one; streams that aren't selected are left out. */
export function readPositions(
  text: string,
  streams: readonly NumberedStream[],
  name: string,
): Map<AppId, Sequence> {
  const ids = new Map(streams.map(({ id, number }) => [number, id]));
  const positions = new Map<AppId, Sequence>();
  for (const pair of text.split('-')) {
    const match = PAIR.exec(pair);
    const sequence = match ? Number.parseInt(match[2], RADIX) : Number.NaN;
    if (!match || !Number.isSafeInteger(sequence))
      throw new TailraceError('invalid_params', `${name} must be a position that the viewer gave out.`);
    const id = ids.get(Number.parseInt(match[1], RADIX));
    if (id !== undefined) positions.set(id, sequence);
  }
  return positions;
}

/** The cursor of a search's next page, with the positions up to which the first one looked. */
export function writePageCursor(cursor: string, positions: string | undefined): string {
  return Buffer.from(JSON.stringify(positions === undefined ? [cursor] : [cursor, positions])).toString(
    'base64url',
  );
}

/** @throws TailraceError `invalid_params` */
export function readPageCursor(
  text: string,
  name: string,
): { readonly cursor: string; readonly positions: string | undefined } {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(parsed) && typeof parsed[0] === 'string') {
      const [cursor, positions] = parsed as unknown[];
      if (typeof cursor === 'string' && (positions === undefined || typeof positions === 'string'))
        return { cursor, positions };
    }
  } catch {
    // It isn't one.
  }
  throw new TailraceError('invalid_params', `${name} must be a cursor that a search gave out.`);
}
