import {
  appendFileSync,
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { FileCheckpoint } from '../../../../src/apps/forwarder/files/file-checkpoint.ts';
import { FileFollower } from '../../../../src/apps/forwarder/files/file-follower.ts';
import { until } from '../../../support/until.ts';

let file: string;
let checkpoint: FileCheckpoint | undefined;
let notices: string[];
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-follow-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  file = join(folder, 'access.log');
  checkpoint = undefined;
  notices = [];
});

const write = (...lines: string[]): void => appendFileSync(file, lines.map((line) => `${line}\n`).join(''));

/** Follows the file until so many lines have come; the checkpoint is kept for the next time. */
async function read(count: number): Promise<string[]> {
  const lines: string[] = [];
  const followed = new FileFollower(file, {
    checkpoint,
    fromStart: true,
    onLine: (line) => lines.push(line.toString()),
    onNotice: (message) => notices.push(message),
  });
  const over = followed.follow();
  await until(`${count} lines`, () => lines.length >= count);
  followed.stop();
  await over;
  checkpoint = followed.checkpoint;
  return lines;
}

describe('reading resumes from a checkpoint', () => {
  it('after the last whole line', async () => {
    write('a', 'ü\r');
    appendFileSync(file, 'half ');
    expect(await read(2)).toEqual(['a', 'ü']);
    expect(checkpoint?.offset).toBe(6);
    appendFileSync(file, 'a line\n');
    expect(await read(1)).toEqual(['half a line']);
    expect(notices).toEqual([]);
  });

  it('in a file that was renamed, those after it, and the new one', async () => {
    write('a');
    await read(1);
    write('b');
    renameSync(file, `${file}.2`);
    write('c');
    renameSync(file, `${file}.1`);
    write('d');
    expect(await read(3)).toEqual(['b', 'c', 'd']);
    expect(notices).toEqual([]);
  });

  it('in a file that was renamed by date, before there is a new one', async () => {
    write('a');
    await read(1);
    write('b');
    renameSync(file, file.replace('.log', '-2012-12-10.log'));
    expect(await read(1)).toEqual(['b']);
    write('c');
    expect(await read(1)).toEqual(['c']);
  });

  it('in the copy of a file that was truncated', async () => {
    write('a');
    await read(1);
    write('b');
    copyFileSync(file, `${file}.1`);
    truncateSync(file);
    write('c', 'and more than there was before');
    expect(await read(3)).toEqual(['b', 'c', 'and more than there was before']);
  });

  it('at the start when the file is another one, with a notice of what is missing', async () => {
    write('a', 'b');
    await read(2);
    unlinkSync(file);
    writeFileSync(file.replace('access', 'access-ssl'), 'not this\n');
    writeFileSync(`${file}.1.gz`, 'nor this\n');
    write('c', 'd', 'e');
    expect(await read(3)).toEqual(['c', 'd', 'e']);
    expect(notices).toEqual([expect.stringContaining('what came behind byte 4 of it is missing')]);
  });

  it('where it was paused', async () => {
    const lines: string[] = [];
    writeFileSync(file, Array.from({ length: 50_000 }, (_, i) => `line ${i}\n`).join(''));
    const all = async (): Promise<void> => {
      const followed: FileFollower = new FileFollower(file, {
        checkpoint,
        fromStart: true,
        onLine: (line) => {
          lines.push(line.toString());
          if (lines.length === 20_000) followed.pause();
        },
        onNotice: () => {},
      });
      const over = followed.follow();
      await until('lines', () => lines.length >= (checkpoint ? 50_000 : 20_000));
      followed.stop();
      await over;
      checkpoint = followed.checkpoint;
    };
    await all();
    expect(lines.length).toBeLessThan(25_000);
    await all();
    expect(lines.join()).toBe(Array.from({ length: 50_000 }, (_, i) => `line ${i}`).join());
  });
});

describe('while it is followed', () => {
  it('a truncated file that has grown beyond where it was is read from its start', async () => {
    write('a long line');
    const lines: string[] = [];
    const followed = new FileFollower(file, {
      fromStart: true,
      onLine: (line) => lines.push(line.toString()),
      onNotice: (message) => notices.push(message),
    });
    const over = followed.follow();
    await until('the line', () => lines.length === 1);
    writeFileSync(file, 'another line that is longer than the one before it\n');
    await until('the other', () => lines.length === 2);
    followed.stop();
    await over;
    expect(lines[1]).toBe('another line that is longer than the one before it');
    expect(notices).toEqual([expect.stringContaining('was cut off')]);
  });

  it('the end of a replaced file without its newline is a line of its own', async () => {
    appendFileSync(file, 'half');
    const lines: string[] = [];
    const followed = new FileFollower(file, {
      fromStart: true,
      onLine: (line) => lines.push(line.toString()),
      onNotice: () => {},
    });
    const over = followed.follow();
    await until('the file', () => followed.checkpoint);
    renameSync(file, `${file}.1`);
    write('whole');
    await until('both', () => lines.length === 2);
    followed.stop();
    await over;
    expect(lines).toEqual(['half', 'whole']);
  });
});

/** A writer that doesn't append: after a truncation it goes on at its old place, and the file has a hole before it. */
class PlaceKeepingWriter {
  private readonly fd = openSync(file, 'w');
  private at = 0;

  write(text: string): void {
    this.at += writeSync(this.fd, text, this.at);
  }

  /** As if so many bytes had been written before. */
  skip(byteCount: number): void {
    this.at += byteCount;
  }

  close(): void {
    closeSync(this.fd);
  }
}

function placeKeepingWriter(): PlaceKeepingWriter {
  const writer = new PlaceKeepingWriter();
  onTestFinished(() => writer.close());
  return writer;
}

/** Follows the file from its start until `stop`; the checkpoint is kept for the next time. */
function followFile(): { followed: FileFollower; lines: string[]; stop: () => Promise<void> } {
  const lines: string[] = [];
  const followed = new FileFollower(file, {
    checkpoint,
    fromStart: true,
    onLine: (line) => lines.push(line.toString()),
    onNotice: (message) => notices.push(message),
  });
  const over = followed.follow();
  const stop = async (): Promise<void> => {
    followed.stop();
    await over;
    checkpoint = followed.checkpoint;
  };
  return { followed, lines, stop };
}

describe('a file that is rotated twice before it is looked at again', () => {
  it('misses no file in between, nor one line of it', async () => {
    write('a');
    const { followed, lines, stop } = followFile();
    await until('the first line', () => lines.length === 1);
    // As while the router is away and the spool is full.
    followed.pause();
    write('b');
    renameSync(file, `${file}.1`);
    write('c', 'd');
    renameSync(`${file}.1`, `${file}.2`);
    renameSync(file, `${file}.1`);
    write('e');
    followed.resume();
    await until('all lines', () => lines.length >= 5);
    await stop();
    expect(lines).toEqual(['a', 'b', 'c', 'd', 'e']);
    write('f');
    expect(await read(1)).toEqual(['f']);
  });
});

describe('a hole of NULs', () => {
  const LONG = 2_000_000;
  const beginning = Array.from({ length: LONG / 50 }, (_, i) => `line ${i}`.padEnd(49, '.'));
  const skipped = (byteCount: number): unknown =>
    expect.stringContaining(`${byteCount} NUL bytes of ${file} were skipped`);

  it('that a writer leaves when its file is cut off is skipped, and counted', async () => {
    const writer = placeKeepingWriter();
    writer.write(`${beginning.join('\n')}\n`);
    const { lines, stop } = followFile();
    await until('the beginning', () => lines.length === beginning.length);
    for (const after of ['first', 'second', 'third']) {
      truncateSync(file);
      writer.write(`${after} a\n${after} b\n`);
      await until(after, () => lines.at(-1) === `${after} b`);
    }
    await stop();
    expect(lines.slice(beginning.length)).toEqual([
      'first a',
      'first b',
      'second a',
      'second b',
      'third a',
      'third b',
    ]);
    // Each time the file is longer than it was: whether it is read from its start again is a matter of what was seen of it.
    expect(notices).toContainEqual(skipped(LONG));
  });

  it('of a few bytes, or of the size of a buffer and one more or less', async () => {
    for (const byteCount of [1, 7, 4_095, 65_535, 65_536, 65_537]) {
      notices = [];
      checkpoint = undefined;
      const writer = placeKeepingWriter();
      writer.write(`${'x'.repeat(byteCount - 1)}\n`);
      const { lines, stop } = followFile();
      await until('the beginning', () => lines.length === 1);
      truncateSync(file);
      writer.write('after\n');
      await until('what comes after', () => lines.length >= 2);
      await stop();
      expect(lines.slice(1)).toEqual(['after']);
      expect(notices).toContainEqual(skipped(byteCount));
    }
  });

  it('between lines: another writer appends', async () => {
    const writer = placeKeepingWriter();
    writer.write(`${'x'.repeat(9_999)}\n`);
    const { lines, stop } = followFile();
    await until('the beginning', () => lines.length === 1);
    truncateSync(file);
    write('appended');
    await until('what was appended', () => lines.length === 2);
    writer.write('after\n');
    await until('what comes after', () => lines.length >= 3);
    await stop();
    expect(lines.slice(1)).toEqual(['appended', 'after']);
    expect(notices).toContainEqual(skipped(10_000 - 'appended\n'.length));
  });

  it('behind half a line, which ends there', async () => {
    const writer = placeKeepingWriter();
    writer.write(`half a line${'x'.repeat(9_988)}\n`);
    const { lines, stop } = followFile();
    await until('the beginning', () => lines.length === 1);
    truncateSync(file, 'half a line'.length);
    writer.write('after\n');
    await until('what comes after', () => lines.includes('after'));
    await stop();
    expect(lines.slice(1)).toEqual(['half a line', 'after']);
  });

  it('also when nobody followed the file meanwhile, and from the right place when it was followed before', async () => {
    const writer = placeKeepingWriter();
    writer.write(`${'x'.repeat(99_999)}\n`);
    expect(await read(1)).toHaveLength(1);
    truncateSync(file);
    writer.write('a\nb\n');
    expect(await read(2)).toEqual(['a', 'b']);
    writer.write('c\n');
    expect(await read(1)).toEqual(['c']);
    expect(notices.filter((text) => text.includes('NUL'))).toHaveLength(1);
    copyFileSync(file, `${file}.1`);
    appendFileSync(`${file}.1`, 'the end of the copy\n');
    writer.skip('the end of the copy\n'.length);
    truncateSync(file);
    writer.write('d\n');
    // The file begins with NULs, as it did before: that doesn't make it the one that was read.
    expect(await read(2)).toEqual(['the end of the copy', 'd']);
    checkpoint = undefined;
    expect(await read(1)).toEqual(['d']);
  });

  it('isn’t what a line has in it', async () => {
    const odd = ['a\0b', `c${'\0'.repeat(10_000)}d`, '\0e', 'f\0'];
    write('first', ...odd);
    expect(await read(5)).toEqual(['first', ...odd]);
    expect(notices).toEqual([]);
    truncateSync(file);
    write('second', 'a\0b', 'f\0');
    expect(await read(3)).toEqual(['second', 'a\0b', 'f\0']);
  });

  it('that a crash has left between lines is skipped too', async () => {
    write('before', `${'\0'.repeat(8_192)}after`);
    expect(await read(2)).toEqual(['before', 'after']);
    expect(notices).toEqual([skipped(8_192)]);
  });
});

describe('a file that is copied and truncated while it is followed', () => {
  it('what came last is read from the copy, also half a line', async () => {
    write('a', 'b');
    appendFileSync(file, 'half ');
    const { lines, stop } = followFile();
    await until('the beginning', () => lines.length === 2);
    for (let round = 1; round <= 5; round++) {
      appendFileSync(file, `a line ${round}\nlast of ${round}\n`);
      copyFileSync(file, `${file}.${round}`);
      truncateSync(file);
      write(`begin of ${round}`);
      appendFileSync(file, 'half ');
      await until('the new beginning', () => lines.at(-1) === `begin of ${round}`);
    }
    await stop();
    expect(lines).toEqual([
      'a',
      'b',
      ...[1, 2, 3, 4, 5].flatMap((round) => [
        `half a line ${round}`,
        `last of ${round}`,
        `begin of ${round}`,
      ]),
    ]);
  });

  it('an old copy that begins alike is none of it', async () => {
    write('banner', 'old');
    copyFileSync(file, `${file}.1`);
    appendFileSync(`${file}.1`, 'old end\n');
    const minuteAgo = Date.now() / 1_000 - 60;
    utimesSync(`${file}.1`, minuteAgo, minuteAgo);
    const { lines, stop } = followFile();
    await until('the beginning', () => lines.length === 2);
    truncateSync(file);
    await until('the truncation', () => notices.some((text) => text.includes('was cut off')));
    write('banner', 'new');
    await until('the new lines', () => lines.length >= 4);
    await stop();
    expect(lines).toEqual(['banner', 'old', 'banner', 'new']);
  });
});
