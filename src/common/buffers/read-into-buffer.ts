import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** Says whether the socket is to be read on. */
type OnRead = (count: number) => boolean;

/** What a socket keeps its option `onread` under. */
interface OptionKeys {
  readonly buffer: symbol;
  readonly callback: symbol;
}

/** Null: this version of Node.js keeps it otherwise. */
let optionKeys: OptionKeys | null | undefined;

/**
 * Has an accepted socket read into a buffer, from now on and for good, instead of emitting `data`, as the option `onread` of `node:net` does for
 * sockets that one makes oneself: servers have none. A buffer for each read, and the stream that it would go through, take a good part of the processor
 * time of a small request.
 *
 * @param buffer may be that of many sockets, as each read is reported before the next one begins
 * @param onRead gets how many bytes are in it now; they are overwritten after it returns
 * @returns false where that can't be done (TLS, whose bytes come in buffers of their own, and versions of Node.js that do it otherwise): then nothing
 * has changed
 */
export function readIntoBuffer(socket: Socket, buffer: Buffer, onRead: OnRead): boolean {
  optionKeys ??= findOptionKeys();
  if (!optionKeys || socket instanceof TLSSocket || !canRead(socket)) return false;
  if (Reflect.get(socket, optionKeys.buffer) !== null) return false;
  socket._handle.useUserBuffer(buffer);
  Reflect.set(socket, optionKeys.buffer, buffer);
  Reflect.set(socket, optionKeys.callback, onRead);
  return true;
}

function findOptionKeys(): OptionKeys | null {
  const buffer = Buffer.alloc(1);
  const callback: OnRead = () => true;
  const options = { onread: { buffer, callback }, readable: true };
  const socket = new Socket(options);
  const keyOf = (value: unknown): symbol | undefined =>
    Object.getOwnPropertySymbols(socket).find((key) => Reflect.get(socket, key) === value);
  const keys = { buffer: keyOf(buffer), callback: keyOf(callback) };
  socket.destroy();
  return keys.buffer && keys.callback ? { buffer: keys.buffer, callback: keys.callback } : null;
}

function canRead(socket: Socket): socket is Socket & { _handle: { useUserBuffer(buffer: Buffer): void } } {
  const handle: unknown = '_handle' in socket ? socket._handle : undefined;
  return typeof handle === 'object' && handle !== null && 'useUserBuffer' in handle;
}
