/** The lines of a request, read out of its body, before they are given to a receiver: the same for both ways to serve one. */

import { detachBuffer } from '../../../common/buffers/detach-buffer.ts';
import { areCurrent, type DecodedFrames, decodeAllFrames } from '../../syslog/wasm/wasm-codec.ts';
import {
  checkLogplexBody,
  type LogplexBodyOptions,
  requireCount,
  takeLogplexBody,
  takeLogplexBodyInSlices,
} from '../formats/logplex-body.ts';
import {
  estimatePackedBatchBytes,
  type PackedLines,
  releasePackedLines,
  takePackedLines,
  takePackedLinesInSlices,
} from '../formats/packed-lines.ts';
import { PlainTextBody } from '../formats/plain-text-body.ts';
import type { RecordForm } from '../formats/wasm/wasm-records.ts';
import type { LineReceiver } from '../line-receiver.ts';

export interface RequestLines {
  /** About what they take in a batch. */
  readonly batchBytes: number;
  /** What they were read from, decompressed: the same request has the same bytes. */
  readonly body: Uint8Array;
  /** Gives all of them to a receiver, at once; returns a promise only when a token has to be looked up. */
  take(receiver: LineReceiver): Promise<void> | undefined;
  /** When they don't fit into a batch, or have tokens of their own. */
  takeInSlices(receiver: LineReceiver): Promise<void>;
  /** Nobody reads them any more: gives their memory back, that of the body as well. */
  release(): void;
  /** The body is at another place now, of those whose lines are read in a body that is overwritten. */
  moveTo?(body: Buffer): void;
}

/** Of `application/logplex-1`. */
export class LogplexLines implements RequestLines {
  readonly batchBytes: number;
  body: Buffer;
  private readonly options: LogplexBodyOptions;
  /** All lines, as they were decoded when they were checked: for the first attempt to store them, made at once. */
  private decoded: DecodedFrames | undefined;

  /**
   * @param form that records of the lines have, when all are of one source: most bodies are decoded as they are checked then
   * @param fromHerokuDrain see {@link RequestReceiverOptions.fromHerokuDrain}
   * @throws TailraceError as {@link checkLogplexBody}
   */
  constructor(body: Buffer, options: LogplexBodyOptions, form?: RecordForm, fromHerokuDrain = false) {
    this.decoded = form && decodeAllFrames(body, form.source, form.host, fromHerokuDrain);
    if (this.decoded) requireCount(this.decoded.count, options.msgCount);
    this.batchBytes = this.decoded?.records.length ?? checkLogplexBody(body, options);
    this.body = body;
    this.options = options;
  }

  take(receiver: LineReceiver): Promise<void> | undefined {
    const { decoded } = this;
    this.decoded = undefined;
    if (!decoded || !areCurrent(decoded)) return takeLogplexBody(this.body, receiver);
    receiver.takeRecords(decoded.records, decoded.count, decoded.lineBytes);
    return undefined;
  }

  takeInSlices(receiver: LineReceiver): Promise<void> {
    return takeLogplexBodyInSlices(this.body, receiver, this.options);
  }

  moveTo(body: Buffer): void {
    this.body = body;
  }

  release(): void {
    detachBuffer(this.body);
  }
}

/** Of plain text. */
export class TextLines implements RequestLines {
  readonly body: Buffer;
  private readonly text: PlainTextBody;

  /** @throws TailraceError as {@link PlainTextBody} */
  constructor(body: Buffer, dyno: string | undefined) {
    this.body = body;
    this.text = new PlainTextBody(body, dyno);
  }

  get batchBytes(): number {
    return this.text.batchBytes;
  }

  take(receiver: LineReceiver): undefined {
    this.text.take(receiver);
  }

  takeInSlices(receiver: LineReceiver): Promise<void> {
    return this.text.takeInSlices(receiver);
  }

  release(): void {
    detachBuffer(this.body);
  }
}

/** Of JSON and OTLP. */
export class ParsedLines implements RequestLines {
  readonly body: Uint8Array;
  private readonly lines: PackedLines;

  constructor(body: Uint8Array, lines: PackedLines) {
    this.body = body;
    this.lines = lines;
  }

  get batchBytes(): number {
    return estimatePackedBatchBytes(this.lines);
  }

  take(receiver: LineReceiver): undefined {
    takePackedLines(this.lines, receiver);
  }

  takeInSlices(receiver: LineReceiver): Promise<void> {
    return takePackedLinesInSlices(this.lines, receiver);
  }

  release(): void {
    detachBuffer(this.body);
    releasePackedLines(this.lines);
  }
}
