/** What the WebAssembly fast paths (`wasm-*.as.ts`, AssemblyScript) share: it is compiled into each of them. */
import { SPACE } from './wasm-ascii.as';

/** Copies 16 bytes at a time, up to 15 more than asked: a call of `memory.copy` costs more than most pieces of a line. */
export function copy(to: u32, from: u32, length: u32): void {
  for (let i: u32 = 0; i < length; i += 16) v128.store(to + i, v128.load(from + i));
}

/** Writes a number below 100,000 in digits, and a space; returns the new end. */
export function writeCount(count: u32, at: u32): u32 {
  let digits: u32 = 1;
  if (count >= 10) digits = 2;
  if (count >= 100) digits = 3;
  if (count >= 1_000) digits = 4;
  if (count >= 10_000) digits = 5;
  let i = at + digits;
  store<u8>(i, SPACE);
  const end = i + 1;
  do {
    const tenth = count / 10;
    i--;
    store<u8>(i, 0x30 + count - tenth * 10);
    count = tenth;
  } while (i > at);
  return end;
}

export function isDigit(byte: u32): bool {
  return byte - 0x30 <= 9;
}

export function isSmallLetter(byte: u32): bool {
  return byte - 0x61 <= 25;
}

export function isLargeLetter(byte: u32): bool {
  return byte - 0x41 <= 25;
}
