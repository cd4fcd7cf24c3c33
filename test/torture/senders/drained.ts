import type { Socket } from 'node:net';

const EVENTS = ['drain', 'close'] as const;

/** Resolves when a socket takes bytes again, or is closed. Nothing listens any more then, however often it is asked. */
export function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of EVENTS) socket.off(event, done);
      resolve();
    };
    for (const event of EVENTS) socket.on(event, done);
  });
}
