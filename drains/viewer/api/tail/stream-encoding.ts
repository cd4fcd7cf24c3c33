import { forEachMatch } from '../../../../src/logs/tails/line-scan.ts';
import type { TailEncoding } from '../../../../src/logs/tails/output/encodings.ts';
import { formatJsonLine } from '../../../../src/logs/tails/output/line-format.ts';
import { withStream } from '../lines/line-json.ts';

/** Lines of a stream as JSON objects, with commas between them. */
export function streamEncoding(stream: string): TailEncoding<string> {
  return {
    format: 'json',
    cache: new WeakMap(),
    encode(batches, range, filter) {
      const lines: string[] = [];
      const reached = forEachMatch(batches, range, filter, (line, bytes, sequence) =>
        lines.push(withStream(stream, formatJsonLine(line, bytes, sequence))),
      );
      return { ...reached, lines: lines.join(',') };
    },
    encodeOne: (line) => withStream(stream, line),
  };
}
