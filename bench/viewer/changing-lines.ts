import { RecordCursor } from '../../src/logs/syslog/batch.ts';

/** Gives lines other times and other random digits: the same lines again would be compressed better than any that are real. */
export class ChangingLines {
  private seed = 1;

  change(
    template: { bytes: Buffer; count: number },
    startMs: number,
    spanMs: number,
  ): { bytes: Buffer; count: number } {
    const bytes = Buffer.from(template.bytes);
    const line = new RecordCursor(bytes);
    let seed = this.seed;
    for (let i = 0; line.advance(); i++) {
      const ms = startMs + (i / template.count) * spanMs;
      const timeAt = bytes.indexOf(0x20, line.textStart) + 1;
      bytes.write(new Date(ms).toISOString().slice(0, 23), timeAt, 'latin1');
      // Digits and hexadecimal digits of ids, addresses and durations change; statuses and dates don't.
      let run = 0;
      for (let at = line.messageStart; at <= line.textEnd; at++) {
        const byte = at < line.textEnd ? bytes[at] : 0;
        const isHex = (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66);
        if (isHex) {
          run++;
          continue;
        }
        if (run >= 8) {
          for (let k = at - run; k < at; k++) {
            seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
            bytes[k] = '0123456789abcdef'.charCodeAt(seed >>> 28);
          }
        }
        run = 0;
      }
    }
    this.seed = seed;
    return { bytes, count: template.count };
  }
}
