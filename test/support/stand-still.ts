/** This process does nothing for so long, as when it is stopped, and the system goes on: what is sent to it waits there. */
export function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
