import { dynoOutput } from './dyno-output.ts';
import type { FuzzPair } from './fuzz-pair.ts';
import { LINES_OUT } from './lines-out.ts';
import { records, similarRecords } from './records.ts';
import { redisPacking } from './redis-packing.ts';
import { streams } from './streams.ts';

/** Every fast path beside what says what is right, on inputs that know the format. */
export const FUZZ_PAIRS: readonly FuzzPair[] = [
  streams,
  records,
  similarRecords,
  ...LINES_OUT,
  dynoOutput,
  redisPacking,
];
