/**
 * The sockets that this process listens on. A server that is restarted passes them on to the next one: who connects meanwhile waits in their
 * queues instead of being refused. UDP sockets are opened anew.
 */
import type { Server } from 'node:net';

/** Node's own, of a socket that listens: what `ChildProcess.send` passes and `Server.listen` takes. */
export type SocketHandle = object;

/** A socket that listens, with the port that it got. */
export interface PassedSocket {
  readonly name: string;
  readonly port: number;
  readonly handle: SocketHandle;
}

const inherited = new Map<string, PassedSocket>();
const listening = new Map<string, Server>();

/** @param setting the variable that names the port */
export function socketName(setting: string, port: number): string {
  return `${setting}:${port}`;
}

/** Takes a socket of the server before, until somebody listens on it. */
export function inheritSocket(socket: PassedSocket): void {
  inherited.set(socket.name, socket);
}

/** The socket of that name of the server before: for `Server.listen`, besides host and port. Undefined: there is none. */
export function takeInheritedSocket(name: string): PassedSocket | undefined {
  const socket = inherited.get(name);
  inherited.delete(name);
  return socket;
}

/** A server that listens is passed on with the others. */
export function noteListening(name: string, server: Server): void {
  listening.set(name, server);
}

/** What this process listens on. */
export function socketsToPass(): readonly PassedSocket[] {
  return [...listening].flatMap(([name, server]) => {
    const { _handle: handle } = server as Server & { _handle?: SocketHandle | null };
    const address = server.address();
    return handle && typeof address === 'object' && address ? [{ name, port: address.port, handle }] : [];
  });
}
