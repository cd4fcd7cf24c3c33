/** Batches for tests of alerts. */
import { HEADROOM, RECORD_HEADER } from '../../../../src/logs/syslog/batch.ts';

/**
 * A batch of records with all their fields.
 * @param lines a header is sender, source and dyno; data are written as they are given
 * @param shift bytes by which it is off its place in memory
 */
export function recordsOf(
  lines: readonly { header: string; message: string; priority?: number; data?: string }[],
  shift = 0,
): Buffer {
  const starts = lines.map(({ priority }) => `<${priority ?? 190}>1 2026-01-31T12:00:00Z `);
  const texts = lines.map(({ header, message, data }, i) =>
    Buffer.from(`${starts[i]}${header} - ${data ?? '-'} ${message}`),
  );
  const size = texts.reduce((sum, text) => sum + RECORD_HEADER + text.length, HEADROOM);
  const bytes = Buffer.from(new ArrayBuffer(size + shift), shift, size);
  let at = HEADROOM;
  texts.forEach((text, i) => {
    const hostStart = starts[i].length;
    const [host, source, dyno] = lines[i].header.split(' ');
    const sourceStart = hostStart + Buffer.byteLength(host) + 1;
    const msgidStart = sourceStart + Buffer.byteLength(source) + 1 + Buffer.byteLength(dyno) + 1;
    bytes.writeUInt32LE(text.length, at);
    bytes[at + 4] = hostStart;
    bytes.writeUInt16LE(sourceStart, at + 6);
    bytes.writeUInt16LE(msgidStart, at + 8);
    bytes.writeUInt16LE(msgidStart + 3 + Buffer.byteLength(lines[i].data ?? '-'), at + 10);
    text.copy(bytes, at + RECORD_HEADER);
    at += RECORD_HEADER + text.length;
  });
  return bytes;
}
