/** The sections of facets: JSON, compressed. One of the whole part, and one with those of each block. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { FacetCounts } from '../fields/facet-counts.ts';
import { PartDamageError } from './part-format.ts';

const SECTION_BYTES_MAX = 256 * 1_048_576;

/** The section's bytes: of one object for the whole part, of an array, in the order of blocks, for those of each. */
export function encodeFacets(facets: FacetCounts | readonly FacetCounts[]): Buffer {
  return deflateRawSync(JSON.stringify(facets));
}

/** @throws PartDamageError when it isn't JSON. */
export function decodeFacets<T extends FacetCounts | readonly FacetCounts[]>(section: Buffer): T {
  try {
    return JSON.parse(inflateRawSync(section, { maxOutputLength: SECTION_BYTES_MAX }).toString()) as T;
  } catch (error) {
    throw new PartDamageError("its facets can't be read", { cause: error });
  }
}
