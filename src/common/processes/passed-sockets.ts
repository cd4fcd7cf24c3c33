/**
 * The sockets that this process listens on. A server that is restarted passes them on to the next one: who connects meanwhile waits in their
 * queues instead of being refused. UDP sockets are opened anew.
 */
import type { Server } from 'node:net';

/** Node's own, of a socket that listens: what `ChildProcess.send` passes and `Server.listen` takes. */
export interface SocketHandle {
  close(): void;
}

/** A socket that listens, with the port that it got. */
export interface PassedSocket {
  readonly name: string;
  readonly port: number;
  readonly handle: SocketHandle;
}

/** Where to listen instead of where the settings say. */
interface InheritedSocket {
  readonly port: number;
  /** Undefined: the port alone is known. */
  readonly handle?: SocketHandle;
}

const inherited = new Map<string, InheritedSocket>();
const listening = new Map<string, { readonly server: Server; readonly port: number }>();

/** @param setting the variable that names the port */
export function socketName(setting: string, port: number): string {
  return `${setting}:${port}`;
}

/** Takes a socket of the server before, until somebody listens on it. */
export function inheritSocket({ name, ...socket }: PassedSocket): void {
  inherited.set(name, socket);
}

/** This process, which has left its place to another one, listens again: on the ports that it had, where it didn't get its sockets back. */
export function reclaimPorts(): void {
  for (const [name, { port }] of listening) if (!inherited.has(name)) inherited.set(name, { port });
}

/** The socket of that name of the server before: for `Server.listen`, besides host and port. Undefined: there is none. */
export function takeInheritedSocket(name: string): InheritedSocket | undefined {
  const socket = inherited.get(name);
  inherited.delete(name);
  return socket;
}

/** A server that listens is passed on with the others. */
export function noteListening(name: string, server: Server): void {
  const address = server.address();
  if (typeof address === 'object' && address) listening.set(name, { server, port: address.port });
}

/** What this process listens on. */
export function socketsToPass(): readonly PassedSocket[] {
  return [...listening].flatMap(([name, { server, port }]) => {
    const { _handle: handle } = server as Server & { _handle?: SocketHandle | null };
    return handle ? [{ name, port, handle }] : [];
  });
}
