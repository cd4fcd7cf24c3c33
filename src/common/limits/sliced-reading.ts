/**
 * What comes over a connection is given to Node's HTTP parser in slices that take about as long, whatever is in them. Node.js has it parse all that
 * was read in one turn of the event loop, up to 2 MB of each connection: chunks of a byte, of which each is an event, were more than a second.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Server as TlsServer } from 'node:tls';
import { eventLoopBudget, type TurnBudget } from './turns.ts';

/** Bytes of a slice. */
const FIRST_BYTES = 4_096;
const BYTES_MIN = 512;
const BYTES_MAX = 32_768;
/** What a slice ought to take, in milliseconds: the next one is as much larger or smaller. */
const SLICE_MS = 0.5;

type ConnectionListener = (socket: Socket) => void;
type Listener = (...args: unknown[]) => void;

/** What Node.js does with a connection. */
export interface ParserListeners {
  /** Gives bytes to the parser. */
  readonly onData: (bytes: Buffer) => void;
  /** Called behind the last ones: a stream tells its end with its last bytes. */
  readonly onEnd: () => void;
  /** Has the system's socket read again, as it doesn't while the stream is paused. */
  readonly onResume: () => void;
}

/** Holds up what is read of connections. */
export interface ReadHolds {
  /** Nothing more of what it sends is parsed until it is released. */
  hold(socket: Duplex): void;
  release(socket: Duplex): void;
  /** Calls back when all that was read of it is parsed, or waits for somebody else than the parser: now, if it is so. */
  whenParsed(socket: Duplex, callback: () => void): void;
}

/** To be called before anything else listens for connections of the server, and for upgrades. */
export function readInSlices(server: Server): ReadHolds {
  const readings = new WeakMap<Duplex, SlicedReading>();
  const event = server instanceof TlsServer ? 'secureConnection' : 'connection';
  const [nodeListener] = server.listeners(event) as ConnectionListener[];
  server.off(event, nodeListener);
  server.on(event, (socket: Socket) => {
    const listenersOf = (name: string): Listener[] => socket.listeners(name) as Listener[];
    const before = new Set(['data', 'end', 'resume'].flatMap(listenersOf));
    nodeListener.call(server, socket);
    const [onData, onEnd, onResume] = ['data', 'end', 'resume'].map((name) =>
      listenersOf(name).find((one) => !before.has(one)),
    );
    if (!onData || !onEnd || !onResume) return;
    socket.off('data', onData);
    socket.off('end', onEnd);
    const listeners: ParserListeners = {
      onData: (bytes) => onData.call(socket, bytes),
      onEnd: () => onEnd.call(socket),
      onResume: () => onResume.call(socket),
    };
    readings.set(socket, new SlicedReading(socket, listeners));
  });
  const emit = server.emit.bind(server) as (name: string | symbol, ...args: unknown[]) => boolean;
  server.emit = (name: string | symbol, ...args: unknown[]): boolean => {
    const reading = name === 'upgrade' || name === 'connect' ? readings.get(args[1] as Duplex) : undefined;
    if (!reading) return emit(name, ...args);
    // What isn't parsed is part of the head, as it is when Node.js reads.
    const [request, socket, head] = args as [unknown, Duplex, Buffer];
    return emit(name, request, socket, Buffer.concat([head, ...reading.letGo()]));
  };
  return {
    hold: (socket) => readings.get(socket)?.hold(),
    release: (socket) => readings.get(socket)?.release(),
    whenParsed: (socket, callback) => {
      const reading = readings.get(socket);
      if (reading) reading.whenParsed(callback);
      else callback();
    },
  };
}

/** One connection, until it is closed, or becomes something else than HTTP. */
export class SlicedReading {
  private readonly socket: Duplex;
  private readonly parser: ParserListeners;
  private readonly budget: TurnBudget;
  private readonly now: () => number;
  /** What has come and isn't parsed; the stream is paused while there is something. */
  private pending: Buffer[] = [];
  private sliceBytes = FIRST_BYTES;
  private isScheduled = false;
  private isFeeding = false;
  /** By Node.js, for readers of bodies or of answers that are behind. */
  private isPaused = false;
  private isHeld = false;
  /** Nothing comes behind what is pending. */
  private isEnded = false;
  /** The connection is somebody else's. */
  private isOver = false;
  private readonly parsedCallbacks: (() => void)[] = [];

  /** @param now milliseconds on a clock that never goes back. */
  constructor(
    socket: Duplex,
    parser: ParserListeners,
    budget: TurnBudget = eventLoopBudget,
    now: () => number = () => performance.now(),
  ) {
    this.socket = socket;
    this.parser = parser;
    this.budget = budget;
    this.now = now;
    socket.pause = () => {
      this.isPaused = true;
      this.update();
      return socket;
    };
    socket.resume = () => {
      this.isPaused = false;
      this.update();
      return socket;
    };
    socket.on('data', this.onData);
    socket.on('end', this.onStreamEnd);
  }

  hold(): void {
    this.isHeld = true;
    this.update();
  }

  release(): void {
    this.isHeld = false;
    this.update();
  }

  whenParsed(callback: () => void): void {
    this.parsedCallbacks.push(callback);
    this.callBackIfParsed();
  }

  private callBackIfParsed(): void {
    if (this.isScheduled && !this.isPaused && !this.isHeld) return;
    for (const callback of this.parsedCallbacks.splice(0)) callback();
  }

  private readonly onData = (bytes: Buffer): void => {
    const isFirst = this.pending.length === 0 && !this.isPaused && !this.isHeld;
    this.pending.push(bytes);
    if (isFirst && !this.isScheduled) {
      this.isScheduled = true;
      this.budget.run(this.feedInTurn);
    }
    this.update();
  };

  private readonly onStreamEnd = (): void => {
    this.isEnded = true;
    if (this.pending.length === 0) this.parser.onEnd();
  };

  private readonly feedInTurn = (): void => {
    this.isScheduled = false;
    this.feedSlice();
    this.callBackIfParsed();
  };

  private feedSlice(): void {
    const { socket, pending } = this;
    if (socket.destroyed) this.pending = [];
    if (socket.destroyed || this.isPaused || this.isHeld || pending.length === 0) return;
    const slice = this.takeSlice();
    const startMs = this.now();
    this.isFeeding = true;
    this.parser.onData(slice);
    this.isFeeding = false;
    const factor = SLICE_MS / Math.max(this.now() - startMs, SLICE_MS / 2);
    this.sliceBytes = Math.max(BYTES_MIN, Math.min(BYTES_MAX, Math.floor(this.sliceBytes * factor)));
    if (Reflect.get(socket, 'parser') === null) this.letGo();
    if (this.isOver) return;
    if (this.isEnded && pending.length === 0)
      this.budget.runRest(this.parser.onEnd); // what they begin is begun
    else this.update();
  }

  private takeSlice(): Buffer {
    const [first] = this.pending;
    if (first.length <= this.sliceBytes) {
      this.pending.shift();
      return first;
    }
    this.pending[0] = first.subarray(this.sliceBytes);
    return first.subarray(0, this.sliceBytes);
  }

  /** Reads on, or not, and has the next slice parsed. */
  private update(): void {
    if (this.isFeeding || this.isOver) return;
    const { socket, isPaused, isHeld } = this;
    const isBehind = this.pending.length > 0;
    if (isPaused || isHeld || isBehind) {
      if (!socket.isPaused()) prototypeOf(socket).pause.call(socket);
    } else if (socket.readableFlowing !== true) prototypeOf(socket).resume.call(socket);
    if (isPaused || isHeld) this.callBackIfParsed();
    if (!isBehind || isPaused || isHeld || this.isScheduled) return;
    this.isScheduled = true;
    this.budget.runRest(this.feedInTurn);
  }

  /** An upgrade: the connection isn't the parser's any more. Gives what wasn't parsed; the connection is read on, as it was. */
  letGo(): readonly Buffer[] {
    const { socket, pending } = this;
    if (this.isOver) return [];
    this.isOver = true;
    socket.off('data', this.onData);
    socket.off('end', this.onStreamEnd);
    Reflect.deleteProperty(socket, 'pause');
    Reflect.deleteProperty(socket, 'resume');
    // Neither flowing nor paused, as Node.js leaves it: whoever listens gets what comes, and without anybody its end is seen.
    socket.resume();
    Reflect.set(socket, 'readableFlowing', null);
    // Node.js has left the stream already, and doesn't hear it resume.
    this.parser.onResume();
    this.pending = [];
    return pending;
  }
}

function prototypeOf(socket: Duplex): Duplex {
  return Object.getPrototypeOf(socket) as Duplex;
}
