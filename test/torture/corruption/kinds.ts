import { embeddedSpecimen, runningSpecimen } from './embedded-specimens.ts';
import { partsSpecimen } from './parts-specimen.ts';
import type { Specimen } from './specimen.ts';
import { spoolSpecimen } from './spool-specimen.ts';

/** A small store of each kind. */
export const KINDS: Readonly<Record<string, () => Promise<Specimen>>> = {
  spool: spoolSpecimen,
  segments: () => embeddedSpecimen('segments'),
  commits: () => embeddedSpecimen('commits'),
  running: runningSpecimen,
  records: () => embeddedSpecimen('records'),
  parts: partsSpecimen,
};
