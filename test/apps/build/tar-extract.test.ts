import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { extractTar } from '../../../src/apps/build/tar-extract.ts';
import { TarError } from '../../../src/common/tar/tar-header.ts';
import { archive, END_OF_ARCHIVE, paxHeader, sealed, type TestMember, tarMember } from './tar-archive.ts';

const base = mkdtempSync(join(tmpdir(), 'tailrace-tar-'));
const LIMITS = { byteCountMax: 100_000, entryCountMax: 50 };
let folder = '';
let folderCount = 0;

beforeEach(() => {
  folder = emptyFolder();
});

afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

function emptyFolder(): string {
  folderCount += 1;
  // Two levels down: what climbs out of it is still found.
  const made = join(base, String(folderCount), 'up', 'app');
  mkdirSync(made, { recursive: true });
  return made;
}

/** @returns '' or why it was refused; anything but a TarError is a failure of the test */
async function extract(packed: Buffer, limits = LIMITS, into = folder): Promise<string> {
  const file = join(into, '..', '..', 'source.tgz');
  writeFileSync(file, packed);
  try {
    await extractTar(file, into, limits);
    return '';
  } catch (error) {
    if (!(error instanceof TarError)) throw error;
    return error.message;
  }
}

/** Everything below the folder: `path` → what it is. */
function contents(of = folder): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(of, { recursive: true, encoding: 'utf8' }).sort()) {
    const stats = lstatSync(join(of, name));
    if (stats.isDirectory()) found[`${name}/`] = '';
    else if (stats.isSymbolicLink()) found[name] = `→ ${readlinkSync(join(of, name))}`;
    else if (stats.isFile()) found[name] = readFileSync(join(of, name), 'latin1');
    else found[name] = 'something else';
  }
  return found;
}

describe('an archive’s files are written', () => {
  it('with their directories, modes and times', async () => {
    const packed = archive(
      { path: './', type: '5', mode: 0o755 },
      { path: './bin/', type: '5', mode: 0o750 },
      { path: './bin/run', body: 'echo', mode: 0o755 },
      { path: 'deep/er/file', body: 'x'.repeat(2_000) },
      { path: 'empty' },
    );
    expect(await extract(packed)).toBe('');
    expect(contents()).toEqual({
      'bin/': '',
      'bin/run': 'echo',
      'deep/': '',
      'deep/er/': '',
      'deep/er/file': 'x'.repeat(2_000),
      empty: '',
    });
    expect(statSync(join(folder, 'bin/run')).mode & 0o7777).toBe(0o755 & ~process.umask());
    expect(statSync(join(folder, 'bin')).mode & 0o7777).toBe(0o750 & ~process.umask());
    expect(statSync(join(folder, 'bin/run')).mtimeMs).toBe(0o14371573700 * 1_000);
    expect(statSync(join(folder, 'bin')).mtimeMs).toBe(0o14371573700 * 1_000);
  });

  it('without setuid, setgid and sticky bits, and readable for their owner', async () => {
    const packed = archive(
      { path: 'd', type: '5', mode: 0o7000 },
      { path: 'd/run', body: 'x', mode: 0o6755 },
      { path: 'none', body: 'x', mode: 0 },
    );
    expect(await extract(packed)).toBe('');
    expect(statSync(join(folder, 'd')).mode & 0o7777).toBe(0o700);
    expect(statSync(join(folder, 'd/run')).mode & 0o7777).toBe(0o755 & ~process.umask());
    expect(statSync(join(folder, 'none')).mode & 0o7777).toBe(0o400);
  });

  it('with long names: GNU’s, pax’s and the prefix of ustar', async () => {
    const long = `${'d'.repeat(120)}/${'f'.repeat(120)}`;
    const prefixed = Buffer.from(tarMember({ path: 'name', body: 'prefixed' }));
    prefixed.write('some/prefix', 345);
    sealed(prefixed.subarray(0, 512));
    const packed = archive(
      tarMember({ path: '././@LongLink', type: 'L', body: `${long}\0` }),
      { path: long.slice(0, 100), body: 'gnu', magic: 'ustar  \0' },
      paxHeader({ path: `pax/${long}é\nline`, mtime: '12.5', 'SCHILY.fflags': 'a=b' }),
      { path: 'short', body: 'pax' },
      tarMember({ path: '././@LongLink', type: 'K', body: `./${'x/'.repeat(100)}to\0` }),
      { path: 'link', type: '2', link: './x' },
      prefixed,
    );
    expect(await extract(packed)).toBe('');
    expect(contents()).toMatchObject({
      [long]: 'gnu',
      [`pax/${long}é\nline`]: 'pax',
      link: `→ ./${'x/'.repeat(100)}to`,
      'some/prefix/name': 'prefixed',
    });
    expect(statSync(join(folder, `pax/${long}é\nline`)).mtimeMs).toBe(12_500);
  });

  it('GNU’s headers have no prefix: other things are there', async () => {
    const member = tarMember({ path: 'name', body: 'x', magic: 'ustar  \0' });
    member.write('14371573700', 345);
    sealed(member.subarray(0, 512));
    expect(await extract(archive(member))).toBe('');
    expect(contents()).toEqual({ name: 'x' });
  });

  it('with names that are no UTF-8, byte for byte', async () => {
    const member = tarMember({ path: 'l l', body: 'x' });
    member[1] = 0xe9;
    sealed(member.subarray(0, 512));
    expect(await extract(archive(member))).toBe('');
    expect(readdirSync(folder, { encoding: 'buffer' })).toEqual([Buffer.from([0x6c, 0xe9, 0x6c])]);
  });

  it('with sizes in base 256, and in the pax header', async () => {
    const size = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 88]);
    const packed = archive(
      { path: 'binary', body: 'b'.repeat(600), size },
      paxHeader({ size: '700' }),
      { path: 'pax', body: 'p'.repeat(700), size: 0 },
      { path: 'after', body: 'a' },
    );
    expect(await extract(packed)).toBe('');
    expect(contents()).toEqual({ after: 'a', binary: 'b'.repeat(600), pax: 'p'.repeat(700) });
  });

  it('a file that comes twice is the later one, also when it had other names', async () => {
    const packed = archive(
      { path: 'a', body: 'first' },
      { path: 'b', type: '1', link: 'a' },
      { path: 'a', body: 'second' },
      { path: 'a', type: '1', link: './a' },
      { path: 'dir/', type: '5' },
      { path: 'dir', type: '5' },
      { path: 'c', type: '2', link: 'nowhere' },
      { path: 'c', body: 'no link' },
      { path: 'd', body: 'no file' },
      { path: 'd', type: '2', link: 'a' },
      { path: 'e', type: '1', link: 'd' },
    );
    expect(await extract(packed)).toBe('');
    expect(contents()).toEqual({
      a: 'second',
      b: 'first',
      c: 'no link',
      d: '→ a',
      e: '→ a',
      'dir/': '',
    });
  });

  it('as the system’s tar packs them, in each of its formats', async () => {
    const source = emptyFolder();
    mkdirSync(join(source, 'bin/deep'), { recursive: true });
    writeFileSync(join(source, 'bin/run'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(join(source, 'bin/deep/é'), 'x'.repeat(10_000));
    writeFileSync(join(source, 'empty'), '');
    linkSync(join(source, 'bin/run'), join(source, 'same'));
    symlinkSync('../bin/run', join(source, 'bin/link'));
    symlinkSync('missing', join(source, 'dangling'));
    utimesSync(join(source, 'bin'), 1_000, 1_000);
    for (const format of ['v7', 'oldgnu', 'gnu', 'ustar', 'pax']) {
      const into = emptyFolder();
      const packed = execFileSync('tar', ['-cz', `--format=${format}`, '-C', source, '.']);
      expect(await extract(packed, LIMITS, into), format).toBe('');
      expect(contents(into), format).toEqual(contents(source));
      expect(statSync(join(into, 'same')).ino, format).toBe(statSync(join(into, 'bin/run')).ino);
      expect(statSync(join(into, 'bin')).mtimeMs, format).toBe(1_000_000);
    }
  });
});

describe('what two programs could read differently is refused', () => {
  const fifo = tarMember({ path: 'pipe', type: '6' });
  const large = tarMember({ path: 'large', body: 'x'.repeat(90_000) });

  it('a pax size of 0 makes a header of what others take for the body', async () => {
    const hidden = archive(paxHeader({ size: '0' }), { path: 'file', body: fifo });
    expect(await extract(hidden)).toBe('pipe is neither a file, a folder nor a link.');
    expect(contents()).not.toHaveProperty('pipe');
  });

  it('what is hidden by a pax size of 0 counts', async () => {
    const million = tarMember({ path: 'million', body: Buffer.alloc(1_048_576) });
    const hidden = archive(paxHeader({ size: '0' }), { path: 'file', body: million });
    expect(await extract(hidden)).toBe('The files are more than 0 MB in all.');
    expect(contents()).toEqual({ file: '' });
  });

  it('a pax size that makes a body of a header writes that body, and nothing else', async () => {
    const packed = archive(paxHeader({ size: '512' }), { path: 'file', size: 0 }, fifo);
    expect(await extract(packed)).toBe('');
    expect(contents()).toEqual({ file: fifo.toString('latin1') });
  });

  const cases: Record<string, [Buffer, RegExp]> = {
    'sizes of directories and links': [
      archive({ path: 'd', type: '5', body: fifo }),
      /no gzipped tar archive/,
    ],
    'a pax size for a link': [
      archive({ path: 'a' }, paxHeader({ size: '512' }), { path: 'l', type: '1', link: 'a' }, fifo),
      /no gzipped tar archive/,
    ],
    'a size for all members': [
      archive(paxHeader({ size: '0' }, 'g'), { path: 'file', body: fifo }),
      /no gzipped tar archive/,
    ],
    'negative sizes': [archive({ path: 'f', size: Buffer.alloc(12, 0xff) }), /no gzipped tar archive/],
    'sizes beyond all numbers': [
      archive({ path: 'f', size: Buffer.from([0xbf, ...Array(11).fill(0xff)]) }),
      /no gzipped tar archive/,
    ],
    'sizes that are no numbers': [
      archive({ path: 'f', size: Buffer.from('0000000001x\0') }),
      /no gzipped tar archive/,
    ],
    'pax sizes that are no numbers': [
      archive(paxHeader({ size: '1e2' }), { path: 'f', body: 'x'.repeat(100) }),
      /no gzipped tar archive/,
    ],
    'pax records whose length is wrong': [
      archive(tarMember({ path: 'x', type: 'x', body: '99 path=a\n' }), { path: 'f' }),
      /no gzipped tar archive/,
    ],
    'a wrong checksum': [archive(wrongChecksum()), /no gzipped tar archive/],
    'sparse files of pax': [
      archive(paxHeader({ 'GNU.sparse.major': '1', 'GNU.sparse.realsize': '1099511627776' }), { path: 'f' }),
      /sparse files/,
    ],
    'sparse files of GNU': [
      archive({ path: 'f', type: 'S' }),
      /^f is neither a file, a folder nor a link\.$/,
    ],
    'an extended header without its member': [archive(paxHeader({ path: 'a' })), /no gzipped tar archive/],
    devices: [archive({ path: 'null', type: '3' }), /^null is neither/],
    'no gzip': [gunzipSync(archive({ path: 'f' })), /no gzipped tar archive/],
    'no tar': [gzipSync(Buffer.alloc(2_000, 'x')), /no gzipped tar archive/],
    'no files': [archive({ path: './', type: '5' }), /no files in the archive/],
    'more bytes than allowed, with those of names': [
      archive(large, paxHeader({ comment: 'x'.repeat(20_000) }), { path: 'f' }),
      /more than 0 MB in all/,
    ],
    'more than fits, in what comes after the end': [
      archive(END_OF_ARCHIVE, Buffer.alloc(200_000)),
      /more than 0 MB in all/,
    ],
    'more files than allowed': [
      archive(...Array.from({ length: 51 }, (_, i) => ({ path: `f${i}` }))),
      /more than 50 files/,
    ],
    'more directories than allowed, in one name': [
      archive(paxHeader({ path: 'd/'.repeat(51) }), { path: 'd', type: '5' }),
      /more than 50 files/,
    ],
    'more members than allowed, of one name': [
      archive(...Array.from({ length: 51 }, () => ({ path: 'd', type: '5' }))),
      /more than 50 files/,
    ],
    'names that are too long': [
      archive({ path: `d/${'f'.repeat(90)}` }, longName(300)),
      /^The name f+ is too long/,
    ],
  };
  it.each(Object.entries(cases))('%s', async (_, [packed, message]) => {
    expect(await extract(packed)).toMatch(message);
  });

  it('archives that are cut off, wherever', async () => {
    const whole = gunzipSync(
      archive({ path: 'd/', type: '5' }, { path: 'a', body: 'x'.repeat(700) }, { path: 'b' }),
    );
    for (let end = 0; end <= whole.length - END_OF_ARCHIVE.length; end += 256)
      expect(await extract(gzipSync(whole.subarray(0, end)), LIMITS, emptyFolder()), `at ${end}`).toMatch(
        /cut off/,
      );
    const zipped = gzipSync(whole);
    for (const end of [20, zipped.length - 9, zipped.length - 1])
      expect(await extract(zipped.subarray(0, end), LIMITS, emptyFolder()), `at ${end}`).toMatch(/cut off/);
  });
});

describe('nothing leaves the folder', () => {
  const cases: Record<string, [readonly TestMember[], RegExp]> = {
    'above it': [[{ path: '../../f' }], /^The archive has a file outside of its folder: \.\.\/\.\.\/f$/],
    'above it, on the way': [[{ path: 'a/../../f' }], /outside of its folder/],
    'an absolute path': [[{ path: '/tmp/f' }], /outside of its folder: \/tmp\/f/],
    'a hard link to a file outside': [
      [{ path: 'l', type: '1', link: '../source.tgz' }],
      /^l is a link out of the folder, to \.\.\/source\.tgz$/,
    ],
    'a hard link to an absolute path': [
      [{ path: 'l', type: '1', link: '/etc/passwd' }],
      /link out of the folder/,
    ],
    'a hard link to what isn’t there': [
      [{ path: 'l', type: '1', link: 'f' }],
      /^l is a link to f, which is no file before it\.$/,
    ],
    'a hard link to a directory': [
      [
        { path: 'd', type: '5' },
        { path: 'l', type: '1', link: 'd' },
      ],
      /no file before it/,
    ],
    'a file through a link': [
      [{ path: 'l', type: '2', link: 'd' }, { path: 'l/f' }],
      /^l\/f is behind the link l$/,
    ],
    'a file through another name of a link': [
      [{ path: 'l', type: '2', link: 'd' }, { path: 'm', type: '1', link: 'l' }, { path: 'm/f' }],
      /^m\/f is behind the link m$/,
    ],
    'a link in the place of a directory': [
      [{ path: 'd/f' }, { path: 'd', type: '2', link: '..' }],
      /^d is both a file and a folder in the archive\.$/,
    ],
    'a file in the place of the folder itself': [[{ path: 'd/..' }], /^\. is both a file and a folder/],
    'a directory in the place of a file': [
      [{ path: 'f' }, { path: 'f/g' }],
      /^f is both a file and a folder/,
    ],
  };
  it.each(Object.entries(cases))('%s', async (_, [members, message]) => {
    expect(await extract(archive(...members))).toMatch(message);
    expect(readdirSync(join(folder, '..'))).toEqual(['app']);
    expect(Object.values(contents()).filter((one) => one.startsWith('→'))).toEqual([]);
  });

  it('a name with a NUL in it', async () => {
    expect(await extract(archive(paxHeader({ path: 'a\0b' }), { path: 'f' }))).toMatch(
      /outside of its folder/,
    );
  });

  it.each([
    ['an absolute path', [{ path: 'l', type: '2', link: '/etc/passwd' }], { l: '→ /etc/passwd' }],
    ['above it', [{ path: 'd/l', type: '2', link: '../../../up' }], { 'd/l': '→ ../../../up' }],
    [
      'above it through another link, which comes later',
      [
        { path: 'l', type: '2', link: 'a/up/../x' },
        { path: 'a/up', type: '2', link: '..' },
      ],
      { 'a/up': '→ ..', l: '→ a/up/../x' },
    ],
    [
      'above it, as another name of a link within it',
      [
        { path: 'a/b/l', type: '2', link: '../../x' },
        { path: 'l', type: '1', link: 'a/b/l' },
      ],
      { 'a/b/l': '→ ../../x', l: '→ ../../x' },
    ],
    [
      'above it, and then a file of that name',
      [
        { path: 'l', type: '2', link: '../../victim' },
        { path: 'l', body: 'a file' },
      ],
      { l: 'a file' },
    ],
    [
      'the folder itself, and a file that isn’t below it',
      [
        { path: 'l', type: '2', link: '.' },
        { path: 'f', body: 'x' },
      ],
      { l: '→ .', f: 'x' },
    ],
    [
      'each other, longer than anything follows',
      Array.from({ length: 45 }, (_, i) => ({ path: `l${i}`, type: '2', link: `l${(i + 1) % 45}` })),
      { l0: '→ l1', l44: '→ l0' },
    ],
  ])('a link stays a link to %s', async (_, members, made) => {
    expect(await extract(archive(...members))).toBe('');
    expect(contents()).toMatchObject(made);
    expect(readdirSync(join(folder, '..'))).toEqual(['app']);
    expect(readdirSync(join(folder, '..', '..')).sort()).toEqual(['source.tgz', 'up']);
  });

  it.each([
    ['a file below it', [{ path: 'l/f', body: 'evil' }]],
    ['a directory below it', [{ path: 'l/d/', type: '5' }]],
    ['a link below it', [{ path: 'l/m', type: '2', link: 'x' }]],
    ['a hard link below it', [{ path: 'f' }, { path: 'l/m', type: '1', link: 'f' }]],
    ['a file through a hard link to it', [{ path: 'm', type: '1', link: 'l' }, { path: 'm/f' }]],
  ] as [string, TestMember[]][])('nothing is written through a link out of it: %s', async (_, members) => {
    for (const target of ['..', '/tmp', '../../up']) {
      const packed = archive({ path: 'l', type: '2', link: target }, ...members);
      expect(await extract(packed, LIMITS, folder)).toMatch(/is behind the link/);
      expect(readdirSync(join(folder, '..'))).toEqual(['app']);
      folder = emptyFolder();
    }
  });

  it('links within it are made, those to nowhere too', async () => {
    const packed = archive(
      { path: 'd/f', body: 'x' },
      { path: 'd/up', type: '2', link: '..' },
      { path: 'to-f', type: '2', link: 'd/up/d/./f' },
      { path: 'loop', type: '2', link: 'pool/x' },
      { path: 'pool', type: '2', link: 'loop/../..' },
      { path: 'dangling', type: '2', link: 'a/b/../c' },
    );
    expect(await extract(packed)).toBe('');
    expect(readFileSync(join(folder, 'to-f'), 'utf8')).toBe('x');
    expect(contents()).toMatchObject({ loop: '→ pool/x', dangling: '→ a/b/../c' });
  });
});

describe('whatever is made of an archive', () => {
  /** All that may be there: files, directories, links, and no more bytes than were counted. */
  function expectHarmless(into: string, byteCountMax: number): void {
    const bytesOfFiles = new Map<number, number>();
    let entryCount = 0;
    const directories = [Buffer.from(into)];
    for (let directory = directories.pop(); directory; directory = directories.pop())
      for (const name of readdirSync(directory, { encoding: 'buffer' })) {
        entryCount += 1;
        const path = Buffer.concat([directory, Buffer.from('/'), name]);
        const stats = lstatSync(path);
        if (stats.isSymbolicLink()) continue;
        expect(stats.mode & 0o7000).toBe(0);
        if (stats.isFile()) bytesOfFiles.set(stats.ino, stats.size);
        else {
          expect(stats.isDirectory()).toBe(true);
          directories.push(path);
        }
      }
    const byteCount = [...bytesOfFiles.values()].reduce((sum, size) => sum + size, 0);
    expect(byteCount).toBeLessThanOrEqual(byteCountMax);
    expect(entryCount).toBeLessThanOrEqual(LIMITS.entryCountMax);
    expect(readdirSync(join(into, '..'))).toEqual(['app']);
  }

  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j/k', '..', '.', 'c/d/..', 'é');
  const path = fc.array(name, { minLength: 1, maxLength: 2 }).map((names) => names.join('/'));
  const member: fc.Arbitrary<Buffer> = fc
    .record({
      path,
      type: fc.constantFrom('0', '0', '0', '1', '2', '2', '5', '5', '7'),
      link: path,
      body: fc.constantFrom(
        '',
        '',
        'x',
        'y'.repeat(511),
        'z'.repeat(2_000),
        tarMember({ path: 'pipe', type: '6' }),
      ),
      mode: fc.integer({ min: 0, max: 0o7777 }),
    })
    .map(({ body, ...rest }) => tarMember({ ...rest, body: '0\x007'.includes(rest.type) ? body : '' }));
  const pax: fc.Arbitrary<Buffer> = fc
    .tuple(
      fc.dictionary(
        fc.constantFrom('path', 'linkpath', 'size', 'mtime', 'comment', 'GNU.sparse.major'),
        fc.oneof(path, fc.constantFrom('0', '1', '512', '2000', '99999999', '')),
        { maxKeys: 2 },
      ),
      fc.constantFrom('x', 'x', 'x', 'g'),
    )
    .map(([records, type]) => paxHeader(records, type));
  const gnu: fc.Arbitrary<Buffer> = fc
    .tuple(path, fc.constantFrom('L', 'K'))
    .map(([body, type]) => tarMember({ path: '././@LongLink', type, body: `${body}\0` }));
  const blocks = fc.array(fc.oneof({ weight: 4, arbitrary: member }, pax, gnu), {
    minLength: 1,
    maxLength: 8,
  });

  it('it is refused, or leaves only what is harmless', async () => {
    let accepted = 0;
    const cuts = fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, fc.nat());
    const changes = fc.array(
      fc.record({
        at: fc.nat(),
        byte: fc.constantFrom(0, 0x20, 0x2f, 0x2e, 0x30, 0x31, 0x37, 0x78, 0x80, 0xff),
        seal: fc.boolean(),
      }),
      { maxLength: 3 },
    );
    await fc.assert(
      fc.asyncProperty(blocks, changes, cuts, async (members, edits, cut) => {
        const plain = Buffer.concat([...members, END_OF_ARCHIVE]);
        for (const { at, byte, seal } of edits) {
          const index = at % plain.length;
          plain[index] = byte;
          // Most of what is changed would be refused for its checksum alone.
          const header = plain.subarray(index - (index % 512), index - (index % 512) + 512);
          if (seal) sealed(header);
        }
        const into = emptyFolder();
        const message = await extract(
          gzipSync(cut === null ? plain : plain.subarray(0, cut % plain.length)),
          { ...LIMITS, byteCountMax: 5_000 },
          into,
        );
        if (message === '') accepted += 1;
        rmSync(join(into, '..', '..', 'source.tgz'));
        expect(readdirSync(join(into, '..', '..'))).toEqual(['up']);
        expectHarmless(into, 5_000);
        rmSync(join(into, '..', '..'), { recursive: true, force: true });
      }),
      { numRuns: 600 },
    );
    expect(accepted).toBeGreaterThan(20);
  });

  it('a tree is the same when the system’s tar has packed it', async () => {
    const tree = fc.dictionary(
      fc.stringMatching(/^[a-dé ]{1,3}(\/[a-d]{1,2}){0,2}$/),
      fc.oneof(fc.string(), fc.constant('link'), fc.constant('directory')),
      { minKeys: 1, maxKeys: 8 },
    );
    const formats = fc.constantFrom('gnu', 'pax', 'ustar');
    await fc.assert(
      fc.asyncProperty(tree, formats, async (entries, format) => {
        const source = emptyFolder();
        for (const [path, content] of Object.entries(entries)) {
          const at = join(source, path);
          if (!makeParents(source, path) || existsSync(at)) continue;
          if (content === 'link') symlinkSync('nowhere', at);
          else if (content === 'directory') mkdirSync(at);
          else writeFileSync(at, content);
        }
        const into = emptyFolder();
        const packed = execFileSync('tar', ['-cz', `--format=${format}`, '-C', source, '.']);
        const isEmpty = readdirSync(source).length === 0;
        expect(await extract(packed, LIMITS, into)).toBe(isEmpty ? 'There are no files in the archive.' : '');
        expect(contents(into)).toEqual(contents(source));
      }),
      { numRuns: 60 },
    );
  });
});

/** @returns false when a file is in the way */
function makeParents(root: string, path: string): boolean {
  try {
    mkdirSync(join(root, path, '..'), { recursive: true });
    return !lstatSync(join(root, path), { throwIfNoEntry: false });
  } catch {
    return false;
  }
}

function wrongChecksum(): Buffer {
  const member = Buffer.from(tarMember({ path: 'f' }));
  member[0] = 'g'.charCodeAt(0);
  return member;
}

function longName(length: number): Buffer {
  return Buffer.concat([
    tarMember({ path: '././@LongLink', type: 'L', body: 'f'.repeat(length) }),
    tarMember({ path: 'short' }),
  ]);
}
