/** The lines of a request, read out of its body, before they are given to a receiver: the same for both ways to serve one. */

import { detachBuffer } from '../../../common/buffers/detach-buffer.ts';
import {
  checkLogplexBody,
  type LogplexBodyOptions,
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
}

/** Of `application/logplex-1`. */
export class LogplexLines implements RequestLines {
  readonly batchBytes: number;
  readonly body: Buffer;
  private readonly options: LogplexBodyOptions;

  /** @throws TailraceError as {@link checkLogplexBody} */
  constructor(body: Buffer, options: LogplexBodyOptions) {
    this.batchBytes = checkLogplexBody(body, options);
    this.body = body;
    this.options = options;
  }

  take(receiver: LineReceiver): Promise<void> | undefined {
    return takeLogplexBody(this.body, receiver);
  }

  takeInSlices(receiver: LineReceiver): Promise<void> {
    return takeLogplexBodyInSlices(this.body, receiver, this.options);
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
