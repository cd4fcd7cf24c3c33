import { constants, deflateRawSync } from 'node:zlib';

/** Shorter messages aren't compressed. */
const DEFLATE_BYTES_MIN = 512;
/** FIN and the opcode of a text message; the bit of a compressed one (RFC 7692 section 6). */
const FIN_TEXT = 0x81;
const RSV1 = 0x40;
/** The end of a sync flush, which is left out of the message (RFC 7692 section 7.2.1). */
const FLUSH_TAIL_BYTES = 4;

/**
 * The header of a server's whole text message of so many bytes (RFC 6455 section 5.2: not masked), as Latin-1.
 */
export function webSocketFrameHeader(length: number, first: number = FIN_TEXT): string {
  if (length < 126) return String.fromCharCode(first, length);
  if (length < 65_536) return String.fromCharCode(first, 126, length >> 8, length & 0xff);
  const bytes = [24, 16, 8, 0].map((shift) => (length >>> shift) & 0xff);
  return String.fromCharCode(first, 127, 0, 0, 0, 0, ...bytes);
}

/** A complete text message, for any number of sockets. */
export function webSocketTextFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from(webSocketFrameHeader(payload.length), 'latin1'), payload]);
}

/**
 * The same compressed on its own, so that it fits every connection that agreed on `server_no_context_takeover` (RFC 7692
 * section 7).
 */
export function webSocketDeflatedFrame(payload: Buffer): Buffer {
  if (payload.length < DEFLATE_BYTES_MIN)
    return Buffer.concat([Buffer.from(webSocketFrameHeader(payload.length), 'latin1'), payload]);
  const flushed = deflateRawSync(payload, { level: 1, finishFlush: constants.Z_SYNC_FLUSH });
  const deflated = flushed.subarray(0, flushed.length - FLUSH_TAIL_BYTES);
  return Buffer.concat([
    Buffer.from(webSocketFrameHeader(deflated.length, FIN_TEXT | RSV1), 'latin1'),
    deflated,
  ]);
}
