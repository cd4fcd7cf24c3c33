/** What a process holds: by /proc, and by the inspector of Node.js, which also makes it collect its garbage first. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { descendants, residentBytes } from '../../bench/rig/proc.ts';
import type { Program } from '../support/program.ts';
import { until } from '../support/until.ts';

const MEGABYTE = 1_048_576;

export interface ProcessFigures {
  readonly residentMb: number;
  /** Of it what is in no file: heaps, buffers, what the C library has taken and not given back. */
  readonly anonymousMb: number;
  readonly descriptors: number;
  readonly threads: number;
  /** Processes that it has started, and those that these have. */
  readonly processes: number;
}

export function figuresOf(pid: number): ProcessFigures {
  return {
    residentMb: residentBytes(pid) / MEGABYTE,
    anonymousMb:
      Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1_024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: readdirSync(`/proc/${pid}/task`).length,
    processes: descendants(pid).length,
  };
}

export interface MappedMemory {
  /** What is in no file: the C library's main heap, its arenas for threads (`rw`, 64 MB each), V8's pages, the rest. Megabytes. */
  readonly anonymous: ReadonlyMap<string, number>;
  /** Pages of files that are in RAM, by their paths. Megabytes. */
  readonly files: ReadonlyMap<string, number>;
}

/** Memory of a process by what it is of, most first; what is below a megabyte is left out. */
export function mappedMemoryOf(pid: number): MappedMemory {
  const anonymous = new Map<string, number>();
  const files = new Map<string, number>();
  let kind = '';
  let file = '';
  const add = (to: Map<string, number>, name: string, kilobytes: number): void =>
    void to.set(name, (to.get(name) ?? 0) + kilobytes / 1_024);
  let resident = 0;
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'latin1').split('\n')) {
    const mapping = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+) *(.*)/.exec(line);
    if (mapping) {
      const [, from, to, rights, inode, name] = mapping;
      const bytes = Number.parseInt(to, 16) - Number.parseInt(from, 16);
      file = inode === '0' ? '' : name;
      if (file !== '') kind = 'files';
      else if (name !== '') kind = name;
      else kind = `${rights.slice(0, 3)} ${sizeClassOf(bytes)}`;
    }
    const found = /^(Rss|Anonymous): +(\d+) kB/.exec(line);
    if (!found) continue;
    if (found[1] === 'Rss') resident = Number(found[2]);
    else {
      add(anonymous, kind, Number(found[2]));
      if (file !== '') add(files, file, resident - Number(found[2]));
    }
  }
  return { anonymous: largestFirst(anonymous), files: largestFirst(files) };
}

function largestFirst(sizes: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...sizes].filter(([, megabytes]) => megabytes >= 1).sort(([, a], [, b]) => b - a));
}

function sizeClassOf(bytes: number): string {
  if (bytes <= 262_144) return 'up to 256 KB';
  if (bytes <= 2 * MEGABYTE) return 'up to 2 MB';
  if (bytes <= 16 * MEGABYTE) return 'up to 16 MB';
  return 'over 16 MB';
}

/** What its descriptors are: `socket`, `pipe`, `anon_inode`, or the path of a file. */
export function descriptorsOf(pid: number): ReadonlyMap<string, number> {
  const kinds = new Map<string, number>();
  for (const fd of readdirSync(`/proc/${pid}/fd`))
    try {
      const kind = readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:.*/, '');
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    } catch {
      // It was closed meanwhile.
    }
  return kinds;
}

export interface HeapFigures {
  /** After garbage was collected. */
  readonly liveMb: number;
  /** Outside of the heap: buffers, and what libraries hold. */
  readonly externalMb: number;
  /** Of it buffers of JavaScript. */
  readonly buffersMb: number;
  /** What the heap has taken from the system, also for what was collected. */
  readonly heapTotalMb: number;
  /** What keeps the event loop going, by its kind: timers, sockets, requests to the system. */
  readonly resources: Readonly<Record<string, number>>;
}

const FIGURES = `(() => {
  const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
  const resources = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  return { heapUsed, heapTotal, external, arrayBuffers, resources };
})()`;

/** The inspector of a program that was started with `--inspect=127.0.0.1:0`. */
export class Inspector {
  private readonly socket: WebSocket;
  private newest = 0;
  private readonly waiting = new Map<number, (result: unknown) => void>();
  private readonly chunks: string[] = [];

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(String(data)) as {
        id?: number;
        result?: unknown;
        method?: string;
        params?: { chunk?: string };
      };
      if (message.method === 'HeapProfiler.addHeapSnapshotChunk')
        this.chunks.push(message.params?.chunk ?? '');
      if (message.id === undefined) return;
      this.waiting.get(message.id)?.(message.result);
      this.waiting.delete(message.id);
    });
  }

  static async open(program: Program): Promise<Inspector> {
    const [, url] = await until('the inspector', () => /listening on (ws:\S+)/.exec(program.stderr));
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    return new Inspector(socket);
  }

  async figures(): Promise<HeapFigures> {
    // What only a finalizer frees is gone with the second.
    for (let i = 0; i < 2; i++) await this.call('HeapProfiler.collectGarbage');
    const { result } = (await this.call('Runtime.evaluate', {
      expression: FIGURES,
      returnByValue: true,
    })) as {
      result: {
        value: Record<'heapUsed' | 'heapTotal' | 'external' | 'arrayBuffers', number> & {
          resources: Record<string, number>;
        };
      };
    };
    const { heapUsed, heapTotal, external, arrayBuffers, resources } = result.value;
    return {
      liveMb: heapUsed / MEGABYTE,
      heapTotalMb: heapTotal / MEGABYTE,
      externalMb: external / MEGABYTE,
      buffersMb: arrayBuffers / MEGABYTE,
      resources,
    };
  }

  /** As the developer tools of a browser read it. */
  async heapSnapshot(): Promise<string> {
    this.chunks.length = 0;
    await this.call('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
    return this.chunks.join('');
  }

  close(): void {
    this.socket.terminate();
  }

  private call(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.newest;
    this.socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => this.waiting.set(id, resolve));
  }
}

/** Values of a page of metrics, by their names; those with labels are left out. */
export function readMetrics(page: string): ReadonlyMap<string, number> {
  return new Map([...page.matchAll(/^([a-z_]+) (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]));
}

/**
 * Megabytes that files take in a folder and all below it, by their paths in it; numbers of files are `*`, so that what comes and goes is one
 * kind. Files may go while they are looked at.
 */
export function sizesIn(folder: string): Map<string, number> {
  const sizes = new Map<string, number>();
  const visit = (path: string): void => {
    try {
      for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
        const below = join(path, entry.name);
        if (entry.isDirectory()) visit(below);
        if (!entry.isFile()) continue;
        const bytes = statSync(join(folder, below), { throwIfNoEntry: false })?.size ?? 0;
        const kind = below.replace(/\d+(?:-\d+)?(?=\.[a-z]+$)/, '*');
        sizes.set(kind, (sizes.get(kind) ?? 0) + bytes / MEGABYTE);
      }
    } catch {
      // It is gone.
    }
  };
  visit('');
  return sizes;
}
