import { systemCode } from '../../../../src/common/errors.ts';
import { FilterDamage } from '../filter/part-filter.ts';
import { PartDamageError } from '../parts/part-format.ts';
import type { FilterJob, FilterReply } from './job.ts';
import { PartReader } from './part-reader.ts';

/** What is damaged, or isn't there, filters nothing: then every block is looked at. */
export function filterBlocks({ path, plan }: FilterJob): FilterReply {
  let part: PartReader | undefined;
  try {
    part = new PartReader(path);
    return { blocks: part.filter()?.evaluate(plan) };
  } catch (error) {
    const isDamage = error instanceof FilterDamage || error instanceof PartDamageError;
    if (!isDamage && systemCode(error) === undefined) throw error;
    return { blocks: undefined };
  } finally {
    part?.close();
  }
}
