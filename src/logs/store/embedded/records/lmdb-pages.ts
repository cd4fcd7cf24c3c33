/**
 * Reads LMDB's file without LMDB, which maps it into memory and trusts every number in it: a damaged one ends the process with a signal.
 * It walks the trees of the newest snapshot as LMDB does (liblmdb's mdb.c, data version 2, little endian, as lmdb-js 3 has it) and checks
 * every page on the way. What can still be read of a damaged file is found in its leaf pages.
 *
 *     page    u64 number | u64 transaction | u16 pad | u16 flags | u16 lower, u16 upper (or u32 pages of an overflow) | …
 *     leaf    u16 offsets of nodes, counted from behind the header; node: u32 bytes of data | u16 flags | u16 bytes of the key | key | data
 *     branch  the same, but u48 page number in the place of the bytes and flags
 *     tree    u32 pad | u16 flags | u16 depth | u64 branch pages | u64 leaf pages | u64 overflow pages | u64 entries | u64 root page
 *     meta    u32 magic | u32 version | u64 address | u64 map size | tree of free pages | main tree | u64 last page | u64 transaction | i64 boot
 */
import { readBootId } from '../../../../common/processes/boot-id.ts';

const PAGE_HEADER = 24;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const P_BRANCH = 1;
const P_LEAF = 2;
const P_OVERFLOW = 4;
const F_BIGDATA = 1;
const F_SUBDATA = 2;
const NODE_HEADER = 8;
/** Of a value that has pages of its own: the first one, their transaction, their number. */
const BIG_NODE_BYTES = 24;
const TREE_BYTES = 48;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;
/** A tree is never deeper than LMDB's cursors. */
const DEPTH_MAX = 32;
/** Set while a transaction isn't synced: `MDB_OVERLAPPINGSYNC`. */
const UNSYNCED = 0x1000;
/** The list of free pages has numbers as keys, and flags of the environment beside that. */
const F_INTEGER_KEY = 8;
const F_ENVIRONMENT = 0x4000;
/** LMDB reserves so much of the address space at the most; a number beyond is none that it wrote. */
const MAP_BYTES_MAX = 2 ** 44;
/** Pages at the end that were taken and given back in one transaction, and so never written. */
const UNWRITTEN_PAGES_MAX = 4_096;
const PAGE_SIZE_MIN = 256;
const PAGE_SIZE_MAX = 65_536;
const META_BYTES = PAGE_HEADER + 24 + 2 * TREE_BYTES + 24;

export interface LmdbEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface LmdbContent {
  /** What is wrong with the file; undefined when LMDB can open it. */
  readonly damage: string | undefined;
  /** The entries of each database; where the file is damaged, those that can be reached. */
  readonly databases: ReadonlyMap<string, readonly LmdbEntry[]>;
  /**
   * Of a file whose trees can't be followed: everything in it that looks like an entry, of all databases, also what was deleted; of the same
   * key the newest is last.
   */
  readonly leftovers: readonly LmdbEntry[];
}

interface Meta {
  readonly mapSize: number;
  readonly pageSize: number;
  readonly flags: number;
  readonly freeTree: Tree;
  readonly mainTree: Tree;
  readonly lastPage: number;
  readonly transaction: bigint;
  readonly boot: bigint;
}

interface Tree {
  readonly flags: number;
  readonly depth: number;
  readonly entries: number;
  readonly root: bigint;
}

class DamagedFile extends Error {}

/** The order of a tree's keys: negative when `a` is before `b`. */
type CompareKeys = (a: Buffer, b: Buffer) => number;

/** Free pages are listed by transaction: u64 (mdb_cmp_long). */
function compareTransactions(a: Buffer, b: Buffer): number {
  if (a.length !== 8 || b.length !== 8) throw new DamagedFile('its list of free pages is damaged');
  const difference = a.readBigUInt64LE(0) - b.readBigUInt64LE(0);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** What a function returns, or what is damaged. */
function attempt<T>(work: () => T): { readonly damage: string; readonly value: T | undefined } {
  try {
    return { damage: '', value: work() };
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error;
    return { damage: error.message, value: undefined };
  }
}

/** Reads a file of LMDB's. @param bootId of the machine, {@link readLmdbBootId} */
export function readLmdb(file: Buffer, bootId: bigint): LmdbContent {
  const strict = new LmdbReader(file, false);
  const { damage, value: databases } = attempt(() => strict.read(bootId));
  if (databases) return { damage: undefined, databases, leftovers: [] };
  const lenient = new LmdbReader(file, true);
  const reachable = attempt(() => lenient.read(bootId)).value ?? new Map<string, LmdbEntry[]>();
  // Where a branch is damaged, whole databases are out of reach.
  const leftovers = lenient.hasMissedBranch || reachable.size === 0 ? lenient.leftovers() : [];
  return { damage, databases: reachable, leftovers };
}

/** LMDB's number of the machine's boot: after another one it trusts only what was synced. */
export function readLmdbBootId(): bigint {
  const text = readBootId();
  return text === '' ? 0n : BigInt(`0x${text.slice(0, text.indexOf('-'))}`);
}

class LmdbReader {
  private readonly file: Buffer;
  private pageSize = 4_096;
  private lastPage = 0;
  /** Of the snapshot that is read; undefined when none is. */
  private transaction: bigint | undefined;
  private readonly seen = new Set<number>();
  /** Goes on behind what is damaged. */
  private readonly isLenient: boolean;
  /** Of the tree that is walked. */
  private compare: CompareKeys = Buffer.compare;
  /** A branch, or a whole leaf, couldn't be read. */
  hasMissedBranch = false;

  constructor(file: Buffer, isLenient: boolean) {
    this.file = file;
    this.isLenient = isLenient;
  }

  read(bootId: bigint): Map<string, LmdbEntry[]> {
    const { pageSize, lastPage, transaction, freeTree, mainTree } = this.pickMeta(bootId);
    this.pageSize = pageSize;
    this.lastPage = lastPage;
    this.transaction = transaction;
    const freeLists = this.entriesOf(freeTree, 'the list of free pages', 0, compareTransactions);
    const databases = new Map<string, LmdbEntry[]>();
    for (const { key, value } of this.entriesOf(mainTree, 'the list of databases', F_SUBDATA)) {
      const name = key.toString('latin1').replace(/\0$/, '');
      if (value.length !== TREE_BYTES) {
        if (!this.isLenient) throw new DamagedFile(`its database ${name} is damaged`);
        this.hasMissedBranch = true;
        continue;
      }
      const tree = parseTree(value, 0);
      // They say how its keys are ordered.
      if (tree.flags !== 0 && !this.isLenient) throw new DamagedFile(`its database ${name} is damaged`);
      databases.set(name, this.entriesOf(tree, `its database ${name}`));
    }
    // LMDB would write over a page in use.
    if (!this.isLenient && !freeLists.every(({ value }) => this.isFreeList(value)))
      throw new DamagedFile('its list of free pages is damaged');
    return databases;
  }

  /** Does it list only pages that nothing leads to? i64 count, then pages, or runs of them: minus their number, and the first one. */
  private isFreeList(list: Buffer): boolean {
    const count = list.length < 8 ? -1 : Number(list.readBigInt64LE(0));
    if (count < 0 || (count + 1) * 8 > list.length) return false;
    const valueAt = (i: number): number => Number(list.readBigInt64LE(i * 8));
    for (let i = 1; i <= count; i++) {
      const value = valueAt(i);
      if (value === 0) continue;
      if (value < 0 && i === count) return false;
      const [first, pages] = value < 0 ? [valueAt(++i), -value] : [value, 1];
      if (first < 2 || first + pages - 1 > this.lastPage) return false;
      for (let page = first; page < first + pages; page++) if (this.seen.has(page)) return false;
    }
    return true;
  }

  /** All that leaf pages hold, whether a tree leads there or not. */
  leftovers(): LmdbEntry[] {
    const pages: { transaction: bigint; entries: LmdbEntry[] }[] = [];
    for (let at = 2 * this.pageSize; at + this.pageSize <= this.file.length; at += this.pageSize) {
      if (this.file.readUInt16LE(at + 18) !== P_LEAF) continue;
      const entries: LmdbEntry[] = [];
      for (let i = 0; i < this.file.readUInt16LE(at + 20) >> 1; i++) {
        this.seen.clear();
        const node = attempt(() => this.leafNode(at, i)).value;
        if (node) entries.push({ key: node.key, value: node.value });
      }
      pages.push({ transaction: this.file.readBigUInt64LE(at + 8), entries });
    }
    pages.sort((a, b) => (a.transaction < b.transaction ? -1 : 1));
    return pages.flatMap(({ entries }) => entries);
  }

  /** The snapshot that LMDB opens: the newest one, or after a power cut the one that was synced (mdb_pick_meta). */
  private pickMeta(bootId: bigint): Meta {
    const first = this.parseMeta(0);
    if (!first) throw new DamagedFile('its first page is damaged');
    const second = this.parseMeta(first.pageSize);
    if (!second || second.pageSize !== first.pageSize) throw new DamagedFile('its second page is damaged');
    // It has no magic number of its own, and is empty until something was synced.
    const synced = parseMetaFields(this.file, first.pageSize / 2);
    // LMDB has used numbers of each of them before it chooses.
    for (const [i, meta] of [first, second, synced].entries())
      if (meta.transaction !== 0n && !(meta.pageSize === first.pageSize && this.isSane(meta)))
        throw new DamagedFile(`its ${i === 1 ? 'second' : 'first'} page is damaged`);
    const pick = (a: Meta, b: Meta): Meta => {
      if (b.transaction === 0n) return a;
      const latest = a.transaction >= b.transaction ? a : b;
      if ((latest.boot !== 0n && latest.boot === bootId) || (latest.flags & UNSYNCED) === 0) return latest;
      return a.transaction > b.transaction ? b : a;
    };
    return pick(pick(first, second), synced);
  }

  private isSane({ pageSize, mapSize, lastPage, flags, mainTree }: Meta): boolean {
    return (
      (flags & ~(UNSYNCED | F_ENVIRONMENT)) === F_INTEGER_KEY &&
      mainTree.flags === 0 &&
      mapSize <= MAP_BYTES_MAX &&
      lastPage <= this.file.length / pageSize + UNWRITTEN_PAGES_MAX
    );
  }

  private parseMeta(at: number): Meta | undefined {
    if (at + META_BYTES > this.file.length) return undefined;
    if (this.file.readUInt32LE(at + PAGE_HEADER) !== MAGIC) return undefined;
    if ((this.file.readUInt32LE(at + PAGE_HEADER + 4) & 0xffff) !== DATA_VERSION) return undefined;
    if ((this.file.readUInt16LE(at + 18) & 8) === 0) return undefined;
    const meta = parseMetaFields(this.file, at);
    const { pageSize } = meta;
    const isPowerOfTwo = (pageSize & (pageSize - 1)) === 0;
    return isPowerOfTwo && pageSize >= PAGE_SIZE_MIN && pageSize <= PAGE_SIZE_MAX ? meta : undefined;
  }

  private entriesOf(
    { root, depth, entries }: Tree,
    what: string,
    flags = 0,
    compare: CompareKeys = Buffer.compare,
  ): LmdbEntry[] {
    if (root === NO_ROOT) {
      if (entries !== 0 && !this.isLenient) throw new DamagedFile(`${what} is damaged`);
      return [];
    }
    const found: LmdbEntry[] = [];
    this.compare = compare;
    this.walkOrSkip(root, Math.min(depth, DEPTH_MAX), flags, found);
    if (found.length !== entries && !this.isLenient)
      throw new DamagedFile(`${what} has ${found.length} of ${entries} entries`);
    return found;
  }

  private walkOrSkip(page: bigint, levels: number, flags: number, found: LmdbEntry[]): void {
    if (!this.isLenient) {
      this.walk(page, levels, flags, found);
      return;
    }
    const before = found.length;
    const { damage } = attempt(() => this.walk(page, levels, flags, found));
    if (damage !== '' && (levels > 1 || found.length === before)) this.hasMissedBranch = true;
  }

  /** Walks a page that is `levels` above its leaves, themselves counted. */
  private walk(page: bigint, levels: number, flags: number, found: LmdbEntry[]): void {
    const at = this.pageAt(page, levels > 1 ? P_BRANCH : P_LEAF);
    const lower = this.file.readUInt16LE(at + 20);
    const upper = this.file.readUInt16LE(at + 22);
    if (lower % 2 !== 0 || lower > upper || upper > this.pageSize - PAGE_HEADER || levels < 1 || lower === 0)
      throw damagedPage(page);
    if (!this.isLenient && this.nodeBytes(at, lower >> 1, levels > 1) !== this.pageSize - PAGE_HEADER - upper)
      throw damagedPage(page);
    for (let i = 0; i < lower >> 1; i++) {
      if (levels > 1) {
        const node = this.nodeAt(at, i);
        const keyEnd = node + NODE_HEADER + this.file.readUInt16LE(node + 6);
        if (keyEnd > at + this.pageSize) throw damagedPage(page);
        const before = found.length;
        this.walkOrSkip(BigInt(this.file.readUIntLE(node, 6)), levels - 1, flags, found);
        // The first one's key counts as lower than all.
        if (i > 0) this.requireSeparator(page, this.file.subarray(node + NODE_HEADER, keyEnd), before, found);
      } else {
        const { value: node } = this.isLenient
          ? attempt(() => this.leafNode(at, i))
          : { value: this.leafNode(at, i) };
        if (node && !this.isLenient) {
          const last = found.at(-1);
          if (node.flags !== flags || (last && this.compare(last.key, node.key) >= 0))
            throw damagedPage(page);
        }
        if (node) found.push(node);
      }
    }
  }

  /** What a page's nodes take: they fill it from its end, without a gap, or LMDB would write the next one over them. */
  private nodeBytes(at: number, count: number, isBranch: boolean): number {
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const node = this.nodeAt(at, i);
      const isBig = !isBranch && (this.file.readUInt16LE(node + 4) & F_BIGDATA) !== 0;
      const data = isBranch ? 0 : isBig ? BIG_NODE_BYTES : this.file.readUInt32LE(node);
      const size = NODE_HEADER + this.file.readUInt16LE(node + 6) + data;
      bytes += size + (size % 2);
    }
    return bytes;
  }

  /**
   * Does a branch's key stand between what is before it and what it leads to? Else LMDB looks for keys where they aren't, and finds none.
   * @param first of the entries that it leads to
   */
  private requireSeparator(page: bigint, key: Buffer, first: number, found: readonly LmdbEntry[]): void {
    if (this.isLenient) return;
    const isAfter = first === 0 || this.compare(found[first - 1].key, key) < 0;
    if (!isAfter || (first < found.length && this.compare(key, found[first].key) > 0))
      throw damagedPage(page);
  }

  private leafNode(at: number, i: number): LmdbEntry & { flags: number } {
    const page = at / this.pageSize;
    const node = this.nodeAt(at, i);
    const size = this.file.readUInt32LE(node);
    const flags = this.file.readUInt16LE(node + 4);
    const data = node + NODE_HEADER + this.file.readUInt16LE(node + 6);
    const isBig = (flags & F_BIGDATA) !== 0;
    if (data + (isBig ? PAGE_HEADER : size) > at + this.pageSize) throw damagedPage(page);
    const key = this.file.subarray(node + NODE_HEADER, data);
    if (key.length === 0) throw damagedPage(page);
    if (!isBig) return { key, value: this.file.subarray(data, data + size), flags };
    const first = this.file.readBigUInt64LE(data);
    // A value that became smaller in the same transaction keeps its pages.
    const pages = Number(this.file.readBigUInt64LE(data + 16));
    if (pages < 1 || pages > this.file.length / this.pageSize || pages * this.pageSize - PAGE_HEADER < size)
      throw damagedPage(page);
    const start = this.pageAt(first, P_OVERFLOW, pages);
    if (this.file.readUInt32LE(start + 20) !== pages) throw damagedPage(first);
    const value = this.file.subarray(start + PAGE_HEADER, start + PAGE_HEADER + size);
    return { key, value, flags: flags & ~F_BIGDATA };
  }

  /** Where a node is. */
  private nodeAt(at: number, i: number): number {
    const pointer = at + PAGE_HEADER + 2 * i;
    if (pointer + 2 > at + this.pageSize) throw damagedPage(at / this.pageSize);
    const offset = this.file.readUInt16LE(pointer);
    const node = at + PAGE_HEADER + offset;
    if (offset < 2 * (i + 1) || offset % 2 !== 0 || node + NODE_HEADER > at + this.pageSize)
      throw damagedPage(at / this.pageSize);
    return node;
  }

  /** Where a page is that was expected to be of a kind, and wasn't met before. */
  private pageAt(page: bigint, kind: number, pages = 1): number {
    const number = Number(page);
    const at = number * this.pageSize;
    const isInside = page >= 2n && number + pages - 1 <= Math.max(this.lastPage, 2);
    if (this.lastPage > 0 && !isInside) throw damagedPage(page);
    if (at + pages * this.pageSize > this.file.length)
      throw new DamagedFile(`page ${page} is behind its end: it was cut off`);
    if (this.file.readBigUInt64LE(at) !== page || this.file.readUInt16LE(at + 18) !== kind)
      throw damagedPage(page);
    // A page of a transaction to come would be written to where it is, in memory that can't be.
    if (this.transaction !== undefined && this.file.readBigUInt64LE(at + 8) > this.transaction)
      throw damagedPage(page);
    for (let one = number; one < number + pages; one++) {
      if (this.lastPage > 0 && this.seen.has(one)) throw damagedPage(one);
      this.seen.add(one);
    }
    return at;
  }
}

function damagedPage(page: bigint | number): DamagedFile {
  return new DamagedFile(`page ${page} is damaged`);
}

function parseMetaFields(file: Buffer, at: number): Meta {
  const trees = at + PAGE_HEADER + 24;
  const rest = trees + 2 * TREE_BYTES;
  return {
    mapSize: Number(file.readBigUInt64LE(at + PAGE_HEADER + 16)),
    pageSize: file.readUInt32LE(trees),
    flags: file.readUInt16LE(trees + 4),
    freeTree: parseTree(file, trees),
    mainTree: parseTree(file, trees + TREE_BYTES),
    lastPage: Number(file.readBigUInt64LE(rest)),
    transaction: file.readBigUInt64LE(rest + 8),
    boot: file.readBigInt64LE(rest + 16),
  };
}

function parseTree(bytes: Buffer, at: number): Tree {
  return {
    flags: bytes.readUInt16LE(at + 4),
    depth: bytes.readUInt16LE(at + 6),
    entries: Number(bytes.readBigUInt64LE(at + 32)),
    root: bytes.readBigUInt64LE(at + 40),
  };
}
