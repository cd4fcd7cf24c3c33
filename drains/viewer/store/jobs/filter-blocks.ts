import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { systemCode } from '../../../../src/common/errors.ts';
import { FilterDamage, PartFilter } from '../filter/part-filter.ts';
import { PartDamageError, type ReadAt, readDirectory, SECTION } from '../parts/part-format.ts';
import type { FilterJob, FilterReply } from './job.ts';

/** What is damaged, or isn't there, filters nothing: then every block is looked at. */
export function filterBlocks({ path, plan }: FilterJob): FilterReply {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const file = fd;
    const readAt: ReadAt = (offset, length) => {
      const bytes = Buffer.allocUnsafe(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
    };
    const place = readDirectory(fstatSync(fd).size, readAt).find(({ id }) => id === SECTION.filter);
    if (!place) return { blocks: undefined };
    const filter = new PartFilter((offset, length) =>
      readAt(place.offset + offset, Math.max(0, Math.min(length, place.length - offset))),
    );
    return { blocks: filter.evaluate(plan) };
  } catch (error) {
    const isDamage = error instanceof FilterDamage || error instanceof PartDamageError;
    if (!isDamage && systemCode(error) === undefined) throw error;
    return { blocks: undefined };
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
