import type { LineSink } from '../../../src/apps/processes/output/line-sink.ts';
import { processStat } from '../../../src/common/processes/process-identity.ts';

export interface RecordedLine {
  source: string;
  dyno: string;
  priority: number;
  bytes: Buffer;
  text: string;
}

/** Keeps every line, and wakes whoever waits for one. */
export class RecordingSink implements LineSink {
  readonly lines: RecordedLine[] = [];
  onLine: (line: RecordedLine) => void = () => {};
  private waiters: (() => void)[] = [];

  writeLine(source: string, dyno: string, priority: number, message: Uint8Array | string): void {
    const bytes = Buffer.from(message);
    const recorded = { source, dyno, priority, bytes, text: bytes.toString() };
    this.lines.push(recorded);
    this.onLine(recorded);
    for (const wake of this.waiters.splice(0)) wake();
  }

  /**
   * Resolves when so many lines contain the text, not counting those that only repeat the command; the test's own
   * time-out is the limit.
   */
  async waitForLine(text: string, count = 1, dyno = ''): Promise<RecordedLine> {
    for (;;) {
      const found = this.lines.filter(
        (line) =>
          line.text.includes(text) && line.dyno.startsWith(dyno) && !line.text.startsWith('Starting process'),
      );
      if (found.length >= count) return found[count - 1];
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }

  texts(source: string, dyno = ''): string[] {
    return this.lines
      .filter((line) => line.source === source && line.dyno.startsWith(dyno))
      .map((line) => line.text);
  }
}

/** Is there such a process, other than as a zombie that nobody has collected? */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return processStat(pid)?.state !== 'Z';
}
