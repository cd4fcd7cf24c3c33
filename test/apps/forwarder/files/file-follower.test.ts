import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
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
  await until(`${count} lines`, () => lines.length >= count, 5_000).catch(() => {});
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
