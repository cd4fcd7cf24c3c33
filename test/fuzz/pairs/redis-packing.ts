/** The records of a batch as Redis gets them, packed in WebAssembly and byte for byte. */
import { packRecordsInto } from '../../../src/logs/store/redis/packing.ts';
import { packRecordsFast } from '../../../src/logs/store/redis/wasm/wasm-packing.ts';
import { HEADROOM, RECORD_HEADER } from '../../../src/logs/syslog/batch.ts';
import { Dice } from '../../support/properties/dice.ts';
import { seededRandom } from '../../support/properties/seeded-random.ts';
import { describeDifference, type FuzzPair, PairDiffers } from './fuzz-pair.ts';

const LENGTHS = [0, 1, 15, 16, 17, 40, 126, 127, 128, 129, 140, 300, 10_100];
const LINES_MAX = 40;

/** Records of which each is like the one before, or not. */
function randomBatch(dice: Dice): Buffer {
  const records: Buffer[] = [Buffer.alloc(HEADROOM)];
  let before: Buffer = Buffer.alloc(0);
  for (let rest = 1 + dice.below(LINES_MAX); rest > 0; rest--) {
    const kind = dice.below(4);
    let record: Buffer = Buffer.from(before);
    if (before.length === 0 || kind === 0) record = randomRecord(dice);
    else if (kind === 1) record[RECORD_HEADER + dice.below(record.length - RECORD_HEADER + 1)] ^= 1;
    else if (kind === 2) {
      // A message of another length.
      const message = RECORD_HEADER + record.readUInt16LE(10);
      record = Buffer.concat([record.subarray(0, message), Buffer.alloc(dice.one(...LENGTHS), 'm')]);
      record.writeUInt32LE(record.length - RECORD_HEADER, 0);
    }
    records.push(record);
    before = record;
  }
  return Buffer.concat(records);
}

function randomRecord(dice: Dice): Buffer {
  const length = dice.one(...LENGTHS);
  const text = Buffer.from('ab'.repeat(length)).subarray(0, length);
  if (length > 0) text[dice.below(length)] ^= 1;
  const places = Array.from({ length: 4 }, () => dice.below(Math.min(length, 255) + 1));
  const [host, source, msgid, message] = places.sort((a, b) => a - b);
  const header = Buffer.alloc(RECORD_HEADER);
  header.writeUInt32LE(length, 0);
  header[4] = host;
  header.writeUInt16LE(source, 6);
  header.writeUInt16LE(msgid, 8);
  header.writeUInt16LE(message, 10);
  return Buffer.concat([header, text]);
}

export const redisPacking: FuzzPair = {
  name: 'redis-packing',
  inputs: 2_000,
  check(seed) {
    const dice = new Dice(seededRandom(seed));
    const batch = randomBatch(dice);
    const at = dice.below(20);
    const [found, expected] = [packRecordsFast, packRecordsInto].map((pack) => {
      const out = Buffer.alloc(at + batch.length);
      return out.toString('latin1', 0, pack(batch, out, at));
    });
    if (found !== expected) throw new PairDiffers(describeDifference('packed records', found, expected));
  },
};
