/**
 * Appends records to the open batches of their apps, without a call into JavaScript for each: lines of many apps that alternate are runs of one
 * line. Which batch is open, and where, cells say, which belong to `open-batches.ts`; what has no open batch, or doesn't fit, is left to JavaScript.
 */
import { copy } from '../../../common/wasm/wasm-common.as';

/** A run of records of one owner: `u32 slot | u32 lines | u32 end in the output | u32 bytes of lines`. */
export const RUN_BYTES: u32 = 16;
/** Of a run whose lines have no owner that is known by a number. */
export const NO_SLOT: u32 = 0xffffffff;
/** Of a slot: `u32 cell | u32 tag`. */
const LINK_BYTES: u32 = 8;
/** Of a cell: `u32 tag | u32 end | u32 limit | u32 lines | u32 bytes of lines`: an end of 0 when its batch isn't open. */
const END: usize = 4;
const LIMIT: usize = 8;
const LINES: usize = 12;
const BYTES: usize = 16;

let runsAt: u32 = 0;
let linksAt: u32 = 0;

/** Where the records end that were appended, how many there are, and the bytes that their lines had. */
export let scatteredEnd: u32 = 0;
export let scatteredLines: u32 = 0;
export let scatteredBytes: u32 = 0;

export function setUpScatter(runs: u32, links: u32): void {
  runsAt = runs;
  linksAt = links;
}

/**
 * Appends the records of runs, from the run `number` up to one that can't be appended here, or to `runsEnd`; returns that one's number.
 * @param from where the records begin
 */
export function scatter(number: u32, runsEnd: u32, from: u32): u32 {
  let lines: u32 = 0;
  let bytes: u32 = 0;
  while (number < runsEnd) {
    const run = runsAt + number * RUN_BYTES;
    const slot = load<u32>(run);
    if (slot == NO_SLOT) break;
    const link = linksAt + slot * LINK_BYTES;
    const cell = load<u32>(link);
    if (cell == 0 || load<u32>(cell) != load<u32>(link, 4)) break;
    const at = load<u32>(cell, END);
    const end = load<u32>(run, 8);
    const length = end - from;
    if (at == 0 || at + length > load<u32>(cell, LIMIT)) break;
    copy(at, from, length);
    const runLines = load<u32>(run, 4);
    const runBytes = load<u32>(run, 12);
    store<u32>(cell, at + length, END);
    store<u32>(cell, load<u32>(cell, LINES) + runLines, LINES);
    store<u32>(cell, load<u32>(cell, BYTES) + runBytes, BYTES);
    lines += runLines;
    bytes += runBytes;
    from = end;
    number++;
  }
  scatteredEnd = from;
  scatteredLines = lines;
  scatteredBytes = bytes;
  return number;
}
