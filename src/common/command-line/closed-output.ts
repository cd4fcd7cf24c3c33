/** Says when whoever reads this program's output has gone, also while nothing is written: of itself that is known only by the next write (EPIPE). */
import { fstatSync } from 'node:fs';
import { createRequire } from 'node:module';

const CHECK_MS = 500;
const STDOUT = 1;

/** Of `poll_oneoff` of WASI preview 1: how its subscriptions and events are laid out in memory, in bytes. */
const SUBSCRIPTION_BYTES = 48;
const EVENTS_AT = 2 * SUBSCRIPTION_BYTES;
const COUNT_AT = EVENTS_AT + 2 * 32;
const TAG_AT = 8;
const CONTENTS_AT = 16;
const EVENT_ERROR_AT = 8;
const CLOCK = 0;
const MONOTONIC = 1;
const FD_WRITE = 2;
/** A pipe that isn't full is ready at once; nothing waits for one that is. */
const WAIT_NS = 1_000_000n;

/**
 * Calls `onClosed` once, when standard output is a pipe or a socket whose reader has closed it (`| head -1`). It keeps no process alive. What can't be
 * asked here (a file, a terminal, a Node.js without WASI) is left to the next write.
 */
export function watchClosedOutput(onClosed: () => void): void {
  const { stdout } = process;
  if (!isPipe()) return;
  let isClosed: (() => boolean) | undefined;
  const timer = setInterval(() => {
    // What waits to be written finds out by itself.
    if (stdout.writableLength > 0) return;
    try {
      isClosed ??= closedPipeTest();
      if (!isClosed()) return;
    } catch {
      clearInterval(timer);
      return;
    }
    clearInterval(timer);
    onClosed();
  }, CHECK_MS).unref();
}

function isPipe(): boolean {
  try {
    const stats = fstatSync(STDOUT);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return false;
  }
}

/** Node.js has no poll(2) but in its WASI. */
function closedPipeTest(): () => boolean {
  const { WASI } = withoutWarnings(() =>
    createRequire(import.meta.url)('node:wasi'),
  ) as typeof import('node:wasi');
  const wasi = new WASI({ version: 'preview1', stdout: STDOUT });
  const memory = new WebAssembly.Memory({ initial: 1 });
  wasi.initialize({ exports: { memory } });
  const { poll_oneoff: poll } = wasi.wasiImport as {
    poll_oneoff: (subscriptions: number, events: number, count: number, found: number) => number;
  };
  const view = new DataView(memory.buffer);
  view.setUint8(TAG_AT, FD_WRITE);
  view.setUint32(CONTENTS_AT, STDOUT, true);
  view.setUint8(SUBSCRIPTION_BYTES + TAG_AT, CLOCK);
  view.setUint32(SUBSCRIPTION_BYTES + CONTENTS_AT, MONOTONIC, true);
  view.setBigUint64(SUBSCRIPTION_BYTES + CONTENTS_AT + 8, WAIT_NS, true);
  return () => {
    if (poll(0, EVENTS_AT, 2, COUNT_AT) !== 0) throw new Error('it can not be asked');
    // The clock never fails.
    const found = view.getUint32(COUNT_AT, true);
    for (let i = 0; i < found; i++)
      if (view.getUint16(EVENTS_AT + 32 * i + EVENT_ERROR_AT, true) !== 0) return true;
    return false;
  };
}

/** That WASI is an experiment, whose users are told so, is nobody's business who reads lines. */
function withoutWarnings<T>(load: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
