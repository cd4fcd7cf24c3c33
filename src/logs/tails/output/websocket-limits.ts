/** What a client of a tail may send over a WebSocket: nothing has to come of it but signs of life. */
import type { WebSocket } from 'ws';

/** Bytes of a message. */
export const TAIL_PAYLOAD_BYTES_MAX = 4_096;
/** Frames of a message: empty ones make it no longer, and it may never end. */
export const TAIL_FRAGMENTS_MAX = 100;
/** Frames in a time: signs of life, of which some browsers' programs make a message. */
const FRAMES_MAX = 100;
const FRAMES_WINDOW_MS = 10_000;
/** RFC 6455 section 7.4.1. */
const POLICY_VIOLATION = 1008;
/** How long the close frame may take. */
const CLOSE_TIMEOUT_MS = 1_000;

/** Ends the connection of a client that sends more than a tail's has to: each frame is work, and each ping an answer. */
export function limitTailFrames(connection: WebSocket): void {
  let frames = 0;
  let sinceMs = performance.now();
  const count = (): void => {
    if (connection.readyState !== connection.OPEN || ++frames <= FRAMES_MAX) return;
    const now = performance.now();
    if (now - sinceMs < FRAMES_WINDOW_MS) {
      connection.close(POLICY_VIOLATION, `over ${FRAMES_MAX} frames in ${FRAMES_WINDOW_MS / 1_000} seconds`);
      connection.pause();
      setTimeout(() => connection.terminate(), CLOSE_TIMEOUT_MS).unref();
    }
    frames = 1;
    sinceMs = now;
  };
  for (const event of ['message', 'ping', 'pong'] as const) connection.on(event, count);
}
