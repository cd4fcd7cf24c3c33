import { constants, deflateRawSync } from 'node:zlib';

/** Shorter messages don't get shorter by being compressed. */
const DEFLATE_BYTES_MIN = 512;
/** FIN and the opcode of a text message; the bit that says it is compressed (RFC 7692 section 6). */
const FIN_TEXT = 0x81;
const RSV1 = 0x40;
/** The end of a sync flush, which stays away on the wire (RFC 7692 section 7.2.1). */
const FLUSH_TAIL_BYTES = 4;

/**
 * One whole text message of a server (RFC 6455 section 5.2: not masked), ready to be written to any number of sockets. With
 * `deflate` it is compressed on its own, so that it fits every connection that agreed on `server_no_context_takeover`.
 */
export function textFrame(text: string, deflate: boolean): Buffer {
  const plain = Buffer.from(text);
  if (!deflate || plain.length < DEFLATE_BYTES_MIN) return withHeader(plain, FIN_TEXT);
  const flushed = deflateRawSync(plain, { level: 1, finishFlush: constants.Z_SYNC_FLUSH });
  return withHeader(flushed.subarray(0, flushed.length - FLUSH_TAIL_BYTES), FIN_TEXT | RSV1);
}

function withHeader(payload: Buffer, first: number): Buffer {
  const { length } = payload;
  const headerBytes = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafeSlow(headerBytes + length);
  frame[0] = first;
  if (headerBytes === 2) frame[1] = length;
  else if (headerBytes === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  payload.copy(frame, headerBytes);
  return frame;
}
