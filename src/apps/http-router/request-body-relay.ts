import type { Socket } from 'node:net';
import { type BodyFraming, LengthBody, noBody } from './http/body-framing.ts';
import { ChunkedBody } from './http/chunked-body.ts';
import { copyIfShared } from './http/shared-read-buffer.ts';
import { subarrayOrWhole, writeWithHead } from './http/write-with-head.ts';

/**
 * Relays the body of one request to the dyno. What arrives before there is a dyno is buffered, and kept until more has
 * been sent, so that another dyno can be sent the same; nothing else is ever buffered.
 */
export class RequestBodyRelay {
  /** False once bytes have been sent that can't be sent again. */
  replayable = true;
  private readonly body: BodyFraming;
  private buffered: Buffer | undefined;

  /** @param length of the body in bytes, or 'chunked' */
  constructor(length: number | 'chunked') {
    this.body = length === 'chunked' ? new ChunkedBody() : length === 0 ? noBody : new LengthBody(length);
  }

  /** Has all of it arrived? */
  get done(): boolean {
    return this.body.done;
  }

  /**
   * Takes the body's next bytes and writes them to `dyno`, or buffers them while there is none.
   * @returns the position of the first byte behind the body; -1 if the body is malformed
   */
  take(bytes: Buffer, start: number, client: Socket, dyno: Socket | undefined): number {
    if (this.body.done) return start;
    const end = this.body.take(bytes, start);
    if (end === -1) return -1;
    const piece = subarrayOrWhole(bytes, start, end);
    if (dyno !== undefined) {
      this.replayable = false;
      this.buffered = undefined;
      if (!dyno.write(copyIfShared(piece))) client.pause();
    } else {
      this.buffered =
        this.buffered === undefined ? copyIfShared(piece) : Buffer.concat([this.buffered, piece]);
      if (!this.body.done) client.pause();
    }
    return end;
  }

  /** Sends a request's head with what has arrived of the body, and lets the client send the rest. */
  sendHead(head: string, client: Socket, dyno: Socket): void {
    if (writeWithHead(dyno, head, this.buffered) && !this.body.done) client.resume();
  }

  /** The dyno has begun to respond: there will be no other. */
  discardBuffer(): void {
    this.buffered = undefined;
  }
}
