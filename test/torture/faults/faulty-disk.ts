/**
 * A disk that fails as it is told, and forgets what was never synced when its power is cut: faulty-disk.c, compiled and loaded into a
 * program with LD_PRELOAD. The folder may be on a small disk of its own, so that it can be full.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** What is wrong with it; the numbers are those of faulty-disk.c. */
const MODES = { none: 0, 'write-fails': 1, 'sync-fails': 2, full: 3, slow: 4, 'read-fails': 5 } as const;
export type DiskTrouble = keyof typeof MODES;

/** How much of what wasn't synced is there after a power cut: nothing, or any sectors of it. */
export type PowerCut = 'exact' | 'torn';

const PAGE = 4_096;
const SOURCE = join(process.cwd(), 'test', 'torture', 'faults', 'faulty-disk.c');

/** The compiled library; undefined where there is no C compiler. */
export function buildFaultyDisk(): string | undefined {
  const library = join(mkdtempSync(join(tmpdir(), 'tailrace-faulty-')), 'faulty-disk.so');
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE, '-ldl'], { stdio: 'pipe' });
    return library;
  } catch (error) {
    process.stderr.write(
      `no disk can fail here, as there is no C compiler: ${String(error).slice(0, 200)}\n`,
    );
    return undefined;
  }
}

export class FaultyDisk {
  /** Where the program keeps its data. */
  readonly folder: string;
  private readonly work: string;
  private readonly library: string | undefined;
  private readonly isMounted: boolean;
  private synced = '';

  /** @param megabytes of a disk of its own; without root, or 0, it is a folder */
  constructor(library: string | undefined, megabytes: number) {
    this.library = library;
    this.work = mkdtempSync(join(tmpdir(), 'tailrace-disk-'));
    this.folder = join(this.work, 'data');
    mkdirSync(this.folder, { mode: 0o700 });
    this.isMounted = megabytes > 0 && mount(this.folder, megabytes);
    writeFileSync(this.control, Buffer.alloc(16));
    writeFileSync(this.boot, newBootId());
    this.startOver();
  }

  private get control(): string {
    return join(this.work, 'control');
  }

  private get boot(): string {
    return join(this.work, 'boot_id');
  }

  /** Can it fail, and lose its power? */
  get canFail(): boolean {
    return this.library !== undefined;
  }

  /** Environment of the program; another one after each power cut. */
  get env(): Record<string, string> {
    if (!this.library) return {};
    return {
      LD_PRELOAD: this.library,
      TORTURE_DISK: this.folder,
      TORTURE_CONTROL: this.control,
      TORTURE_SYNCED: this.synced,
      TORTURE_BOOT: this.boot,
    };
  }

  /** From now on, so many of a thousand calls fail, or take so long. */
  set(trouble: DiskTrouble, permille = 1_000, ms = 0): void {
    const numbers = Buffer.alloc(16);
    numbers.writeUInt32LE(MODES[trouble], 0);
    numbers.writeUInt32LE(permille, 4);
    numbers.writeUInt32LE(ms * 1_000, 8);
    const fd = openSync(this.control, 'r+');
    writeSync(fd, numbers, 0, 16, 0);
    closeSync(fd);
  }

  /** Somebody else takes all but so many bytes of it; false when it has no end. */
  fill(leftBytes: number): boolean {
    if (!this.isMounted) return false;
    const { bavail, bsize } = statfsSync(this.folder);
    try {
      writeFileSync(this.filler, Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)));
    } catch {
      // It is as full as it gets.
    }
    return true;
  }

  free(): void {
    rmSync(this.filler, { force: true });
  }

  private get filler(): string {
    return join(this.folder, 'somebody-elses');
  }

  /** What is there now counts as synced. Only while no program runs on it: one that does keeps what it syncs in the folder of before. */
  startOver(): void {
    if (this.synced !== '') rmSync(this.synced, { recursive: true, force: true });
    this.synced = mkdtempSync(join(this.work, 'synced-'));
    if (!this.library) return;
    const log: string[] = [];
    const visit = (path: string): void => {
      log.push(`D ${path}`);
      const entries = readdirSync(this.folder + path, { withFileTypes: true });
      for (const { name } of entries)
        log.push(`N ${statSync(join(this.folder + path, name)).ino} ${path}/${name}`);
      log.push('E');
      for (const entry of entries) {
        const below = `${path}/${entry.name}`;
        if (entry.isDirectory()) visit(below);
        if (!entry.isFile()) continue;
        const { ino, size } = statSync(this.folder + below);
        writeFileSync(join(this.synced, `${ino}.data`), readFileSync(this.folder + below));
        log.push(`S ${ino} ${size} ${below}`);
      }
    };
    visit('');
    writeFileSync(join(this.synced, 'log'), `${log.join('\n')}\n`);
  }

  /** @throws Error when nothing that the program has synced was seen: then no power cut would be one. */
  assertSeesSyncs(program: string): void {
    if (this.library && !/^S /m.test(readFileSync(join(this.synced, 'log'), 'utf8')))
      throw new Error(`The disk of ${program} sees nothing of what is synced.`);
  }

  /** The program was killed, and so was the machine: what wasn't synced is gone, or a part of it. */
  cutPower(kind: PowerCut, random: () => number): void {
    this.free();
    const { names, sizes } = readLog(readFileSync(join(this.synced, 'log'), 'utf8'));
    const live = new Map<number, Buffer>();
    const livePaths: [path: string, ino: number][] = [];
    const folders = new Set<string>();
    for (const entry of readdirSync(this.folder, { recursive: true, withFileTypes: true })) {
      const full = join(entry.parentPath, entry.name);
      const path = full.slice(this.folder.length);
      if (entry.isDirectory()) folders.add(path);
      if (!entry.isFile()) continue;
      const { ino } = statSync(full);
      live.set(ino, readFileSync(full));
      livePaths.push([path, ino]);
    }
    const kept = new Map<string, number>(names);
    if (kind === 'torn')
      for (const [path, ino] of livePaths) if (!kept.has(path) && random() < 0.5) kept.set(path, ino);
    const contents = new Map<string, Buffer>();
    for (const [path, ino] of kept) {
      if (folders.has(path)) continue;
      const data = join(this.synced, `${ino}.data`);
      // Of a name without a file, the folder was synced and the file wasn't. Only the copy of a log may be longer than what was synced.
      const copy = existsSync(data) ? readFileSync(data) : Buffer.alloc(0);
      const onDisk = path.endsWith('.log') ? copy.subarray(0, sizes.get(ino) ?? 0) : copy;
      contents.set(path, kind === 'torn' ? tear(onDisk, live.get(ino), random) : onDisk);
    }
    for (const name of readdirSync(this.folder))
      rmSync(join(this.folder, name), { recursive: true, force: true });
    for (const path of folders)
      if (kept.has(path)) mkdirSync(this.folder + path, { recursive: true, mode: 0o700 });
    for (const [path, bytes] of contents) {
      mkdirSync(dirname(this.folder + path), { recursive: true, mode: 0o700 });
      writeFileSync(this.folder + path, bytes, { mode: 0o600 });
    }
    writeFileSync(this.boot, newBootId());
    this.startOver();
  }

  remove(): void {
    if (this.isMounted) execFileSync('umount', ['-l', this.folder]);
    rmSync(this.work, { recursive: true, force: true });
  }
}

/** As the kernel gives it. */
function newBootId(): string {
  return `${randomUUID()}\n`;
}

/** Any of the pages that were written and not synced are on the disk, and the others are as they were, or nothing. */
function tear(onDisk: Buffer, live: Buffer | undefined, random: () => number): Buffer {
  if (!live) return onDisk;
  const growth = Math.max(0, live.length - onDisk.length);
  const length = onDisk.length + Math.floor(random() * (growth + 1));
  const bytes = Buffer.alloc(length);
  onDisk.copy(bytes);
  for (let at = 0; at < length; at += PAGE)
    if (at < live.length && random() < 0.5)
      live.copy(bytes, at, at, Math.min(at + PAGE, live.length, length));
  return bytes;
}

/** What faulty-disk.c says was synced. */
function readLog(text: string): { names: Map<string, number>; sizes: Map<number, number> } {
  const names = new Map<string, number>();
  const sizes = new Map<number, number>();
  let folder: string | undefined;
  let listed = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, kind, rest] = /^([SDNE]) ?(.*)$/.exec(line) ?? [];
    if (kind === 'S') {
      const [, ino, size, path] = /^(\d+) (\d+) (.*)$/.exec(rest) ?? [];
      sizes.set(Number(ino), Number(size));
      // As file systems have it: with a new file, its name is synced. What was renamed keeps its old one until its folder is.
      if (!path.endsWith(' (deleted)') && ![...names].some(([, other]) => other === Number(ino)))
        names.set(path, Number(ino));
    } else if (kind === 'D') {
      folder = rest;
      listed = new Map();
    } else if (kind === 'N') {
      const [, ino, path] = /^(\d+) (.*)$/.exec(rest) ?? [];
      listed.set(path, Number(ino));
    } else if (kind === 'E' && folder !== undefined) {
      for (const path of names.keys()) if (dirname(path) === (folder || '/')) names.delete(path);
      for (const [path, ino] of listed) {
        // It was called otherwise before; two names in one folder are two links.
        for (const [other, same] of names) if (same === ino && !listed.has(other)) names.delete(other);
        names.set(path, ino);
      }
    }
  }
  return { names, sizes };
}

function mount(folder: string, megabytes: number): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tailrace-torture', folder], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}
