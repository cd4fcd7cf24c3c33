/** Stored lines, written for drains and tails by the WebAssembly fast paths and by the code that says what is right. */
import { BufferPool } from '../../../src/common/buffers/buffer-pool.ts';
import { logplexFormat } from '../../../src/logs/drains/encoders/logplex.ts';
import { buildShipment, encodeShipment, type Shipment } from '../../../src/logs/drains/shipment.ts';
import { scannedLineLevel } from '../../../src/logs/query/prefilter/wasm-search.ts';
import type { StoredBatch } from '../../../src/logs/store/contract.ts';
import { RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { syslogLineEncoder } from '../../../src/logs/syslog/encode.ts';
import { herokuFrames } from '../../../src/logs/syslog/heroku-frames.ts';
import { LineFilter } from '../../../src/logs/syslog/line-filter.ts';
import { lineLevel } from '../../../src/logs/syslog/record.ts';
import { forEachMatch } from '../../../src/logs/tails/line-scan.ts';
import {
  PLAIN_TEXT_ENCODINGS,
  SSE_ENCODINGS,
  WEBSOCKET_ENCODINGS,
} from '../../../src/logs/tails/output/encodings.ts';
import { formatJsonLine, formatTextLine } from '../../../src/logs/tails/output/line-format.ts';
import { NOTICE, SIMPLE_ENCODERS, WASM_ENCODERS } from '../../logs/drains/encoders/compared-encoders.ts';
import { batchOfOldLines } from '../../support/old-lines.ts';
import { Dice } from '../../support/properties/dice.ts';
import { seededRandom } from '../../support/properties/seeded-random.ts';
import { randomLine } from '../../support/senders/random-lines.ts';
import { describeDifference, type FuzzPair, PairDiffers } from './fuzz-pair.ts';

const STORED_AT_MS = Date.UTC(2026, 10, 28, 9, 21);
const pool = new BufferPool({ buffersMax: 2 });

/** One to three batches of one to four lines, which follow each other from a sequence on. */
function randomBatches(dice: Dice): StoredBatch[] {
  let last = dice.one(0, 0, 9, 99);
  return Array.from({ length: dice.one(1, 1, 2, 3) }, () => {
    const batch = batchOfOldLines(Array.from({ length: 1 + dice.below(4) }, () => randomLine(dice)));
    const first = last + 1;
    last += batch.count;
    return { ...batch, first, last, storedAtMs: STORED_AT_MS };
  });
}

function compare(name: string, found: Buffer, expected: Buffer): void {
  if (!found.equals(expected))
    throw new PairDiffers(describeDifference(name, found.toString('latin1'), expected.toString('latin1')));
}

/** A shipment of all lines of some batches, or of those in the middle of them. */
function randomShipment(dice: Dice): Shipment {
  const batches = randomBatches(dice);
  const [{ first }, { last }] = [batches[0], batches.at(-1)!];
  const after = first - 1 + (dice.chance(0.3) ? dice.below(last - first + 1) : 0);
  const upTo = dice.chance(0.3) ? after + 1 + dice.below(last - after) : undefined;
  return buildShipment(batches, after, Number.POSITIVE_INFINITY, upTo)!;
}

const drainEncoders: FuzzPair = {
  name: 'drain-encoders',
  inputs: 100,
  check(seed) {
    const dice = new Dice(seededRandom(seed));
    const shipment = randomShipment(dice);
    const notice = dice.chance(0.2) ? NOTICE : undefined;
    for (const [name, encode] of Object.entries(WASM_ENCODERS)) {
      const body = encode(shipment, notice, pool);
      compare(name, body, SIMPLE_ENCODERS[name](shipment, notice));
      pool.release(body);
    }
  },
};

const SYSLOG_ENCODERS = [undefined, 'd.0123', 'h'.repeat(255)].map(syslogLineEncoder);

const drainFrames: FuzzPair = {
  name: 'drain-frames',
  inputs: 600,
  check(seed) {
    const dice = new Dice(seededRandom(seed));
    const shipment = randomShipment(dice);
    for (const [i, encoder] of SYSLOG_ENCODERS.entries()) {
      const out = Buffer.alloc(shipment.byteLength + shipment.count * (encoder.overheadBytes + 300));
      let at = 0;
      for (const { batch, start, end, count } of shipment.slices)
        at = encoder.encode(new RecordCursor(batch.bytes, start, end), batch.bytes, count, out, at);
      compare(`syslog ${i}`, encodeShipment(shipment, encoder), out.subarray(0, at));
    }
    for (const mode of ['split', 'keep'] as const) {
      const frames = shipment.slices.flatMap(({ batch: { bytes }, start, end }) =>
        herokuFrames(new RecordCursor(bytes, start, end), bytes as Buffer, mode),
      );
      const { body, messageCount } = logplexFormat(mode).encode(shipment, undefined, pool) as {
        body: Buffer;
        messageCount: number;
      };
      compare(`logplex ${mode}`, body, Buffer.concat(frames));
      if (messageCount !== frames.length)
        throw new PairDiffers(`${messageCount}, not ${frames.length} messages`);
      pool.release(body);
    }
  },
};

const tailLines: FuzzPair = {
  name: 'tail-lines',
  inputs: 600,
  check(seed) {
    const dice = new Dice(seededRandom(seed));
    const batches = randomBatches(dice);
    const [{ first }, { last }] = [batches[0], batches.at(-1)!];
    const range = {
      after: first - 1 + (dice.chance(0.3) ? dice.below(last - first + 2) : 0),
      through: dice.chance(0.3) ? first - 1 + dice.below(last - first + 3) : Number.MAX_SAFE_INTEGER,
      count: dice.chance(0.2) ? 1 + dice.below(4) : Number.POSITIVE_INFINITY,
    };
    const filter = new LineFilter();
    const texts: string[] = [];
    const jsons: string[] = [];
    const reached = forEachMatch(batches, range, filter, (line, bytes, sequence) => {
      texts.push(formatTextLine(line, bytes));
      jsons.push(formatJsonLine(line, bytes, sequence));
    });
    const position = `${reached.last}`;
    const expected = {
      plain: texts.map((text) => `${text}\n`).join(''),
      ndjson: jsons.map((text) => `${text}\n`).join(''),
      events: `id: ${position}\n${texts.map((text) => `data: ${text.replaceAll('\n', '\ndata: ')}\n`).join('')}\n`,
      frame: `{"position":"${position}","lines":${JSON.stringify(texts)}}`,
    };
    const found = {
      plain: PLAIN_TEXT_ENCODINGS.text.encode(batches, range, filter),
      ndjson: PLAIN_TEXT_ENCODINGS.json.encode(batches, range, filter),
      events: SSE_ENCODINGS.text.encode(batches, range, filter),
      frame: WEBSOCKET_ENCODINGS.text.encode(batches, range, filter),
    };
    for (const name of Object.keys(expected) as (keyof typeof expected)[]) {
      const { lines, count, last: at } = found[name];
      if (count !== reached.count || at !== reached.last)
        throw new PairDiffers(`${name}: ${count} up to ${at}, not ${reached.count} up to ${reached.last}`);
      const start = name === 'frame' ? lines.indexOf('{"') : 0;
      compare(name, lines.subarray(start), Buffer.from(expected[name]));
    }
  },
};

const levels: FuzzPair = {
  name: 'line-levels',
  inputs: 2_000,
  check(seed) {
    const dice = new Dice(seededRandom(seed));
    for (const { bytes } of randomBatches(dice)) {
      const line = new RecordCursor(bytes);
      while (line.advance()) {
        const [found, expected] = [scannedLineLevel(line, bytes as Buffer), lineLevel(line, bytes as Buffer)];
        if (found !== expected)
          throw new PairDiffers(
            `${found}, not ${expected}: ${JSON.stringify(String(bytes.subarray(line.textStart, line.textEnd)))}`,
          );
      }
    }
  },
};

export const LINES_OUT: readonly FuzzPair[] = [drainEncoders, drainFrames, tailLines, levels];
