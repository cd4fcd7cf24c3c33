import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { HttpFormat } from '../http-format.ts';

const gzipAsync = promisify(gzip);

/** A format with its bodies compressed (RFC 9110 section 8.4.1.3), in another thread. */
export function gzipFormat(format: HttpFormat): HttpFormat {
  return {
    ...format,
    contentEncoding: 'gzip',
    encode: async (shipment, notice, memory) => {
      const { body, messageCount } = await format.encode(shipment, notice, memory);
      const compressed = await gzipAsync(body);
      memory.release(body);
      return { body: compressed, messageCount };
    },
  };
}
