/** What the fast path for records asks JavaScript for (`wasm-host.as.ts`): numbers and times in rarer forms, one at a time, without giving up the record. */
import { parseExactJson } from '../exact-json.ts';
import { parseTimestamp, textOrJson } from '../structured-line.ts';

/** NUMBER_BYTES_MAX of `wasm-host.as.ts`. */
const NUMBER_BYTES_MAX = 64;

/** A module's imports. @param memoryOf its memory, which is there when they are called */
export function recordImports(memoryOf: () => Buffer): WebAssembly.Imports {
  const parse = (start: number, end: number): unknown => {
    try {
      return parseExactJson(memoryOf().toString('utf8', start, end));
    } catch {
      return undefined;
    }
  };
  const put = (text: string, out: number): number => memoryOf().write(text, out, 'latin1');
  return {
    'wasm-host.as': {
      numberOf: (start: number, end: number): number => Number(memoryOf().toString('latin1', start, end)),
      writeNumber: (start: number, end: number, out: number, isNested: number): number => {
        const number = parse(start, end);
        if (number === undefined) return 0;
        // One whose digits a double doesn't hold is a text.
        const text = isNested ? JSON.stringify(number).replaceAll('"', '\\"') : textOrJson(number);
        return text.length > NUMBER_BYTES_MAX ? 0 : put(text, out);
      },
      writeTime: (start: number, end: number, out: number): number => {
        const time = parseTimestamp(parse(start, end));
        return time === undefined ? 0 : put(time, out);
      },
    },
  };
}
