/** A file with numbered lines, which `tailrace ship` follows. */
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, pause, SentLines } from './numbered.ts';

/** Lines until the file is rotated. */
const ROTATE_LINES = 2_000;

export class FollowedFile {
  readonly sent: SentLines;
  readonly folder = mkdtempSync(join(tmpdir(), 'tailrace-followed-'));
  readonly path = join(this.folder, 'app.log');
  readonly spool = join(this.folder, 'spool');
  private isRunning = true;
  private readonly finished: Promise<void>;

  constructor(name: string, { pauseMaxMs, random }: { pauseMaxMs: number; random: () => number }) {
    this.sent = new SentLines(name);
    writeFileSync(this.path, '');
    this.finished = this.run(pauseMaxMs, random);
  }

  async stop(): Promise<void> {
    this.isRunning = false;
    await this.finished;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async run(pauseMaxMs: number, random: () => number): Promise<void> {
    for (let written = 0; this.isRunning; ) {
      const numbers = this.sent.take(1 + Math.floor(random() * 10));
      appendFileSync(this.path, numbers.map((number) => `${messageOf(this.sent.name, number)}\n`).join(''));
      // What is in the file has to come.
      this.sent.acknowledge(numbers);
      written += numbers.length;
      if (written > ROTATE_LINES) {
        written = 0;
        for (const number of [3, 2, 1])
          try {
            renameSync(`${this.path}.${number}`, `${this.path}.${number + 1}`);
          } catch {
            // There is none yet.
          }
        renameSync(this.path, `${this.path}.1`);
        writeFileSync(this.path, '');
      }
      await pause(random() * pauseMaxMs);
    }
  }
}
