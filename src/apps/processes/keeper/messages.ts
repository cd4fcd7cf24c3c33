/**
 * What a server and the keeper of its dynos say to each other: JSON, a line each. They may be of different versions: a keeper goes on while
 * the program is upgraded. So fields are only ever added, and `hello` and `end` mean the same in every version.
 */

import type { Socket } from 'node:net';
import { join } from 'node:path';

/** A server that needs more than its keeper's version can do has its dynos ended, and starts another one. */
export const KEEPER_VERSION = 2;

/** Of the server. Those with a `number` are answered by a {@link KeeperAnswer}. */
export type KeeperRequest =
  | { readonly op: 'hello'; readonly number: number; readonly version: number; readonly waitMs: number }
  | ({ readonly op: 'start'; readonly number: number } & StartRequest)
  /** What the next server has to know of it. */
  | { readonly op: 'note'; readonly id: string; readonly note: unknown }
  /** What was read of its two outputs and belongs to lines that haven't ended: base64. */
  | { readonly op: 'leftover'; readonly id: string; readonly leftover: readonly string[] }
  /** It has ended, and all that it wrote was read. */
  | { readonly op: 'forget'; readonly id: string }
  /** Is it there? */
  | { readonly op: 'ping'; readonly number: number }
  /** No server will come: when this one is gone, all end at once. */
  | { readonly op: 'end' };

export interface StartRequest {
  readonly id: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid?: number;
  readonly gid?: number;
  readonly hasInput: boolean;
  /** How its first process alone is asked to end; unset: SIGTERM to all of its group. */
  readonly leaderStopSignal?: NodeJS.Signals;
  readonly note: unknown;
}

/** Nothing more to `ping`, to `hello` the processes and the keeper's version, to `start` the pid or why it couldn't be started. */
export interface KeeperAnswer {
  readonly number: number;
  readonly version?: number;
  readonly processes?: readonly KeptProcess[];
  readonly pid?: number;
  readonly error?: string;
}

/** A process has ended: with 0–255, 128 + n for signal n. */
export interface KeeperEvent {
  readonly exited: string;
  readonly status: number;
}

/** A process that a keeper has for the next server. */
export interface KeptProcess {
  readonly id: string;
  /** Also the id of its group. */
  readonly pid: number;
  /** When it has ended. */
  readonly status?: number;
  readonly note: unknown;
  readonly leftover?: readonly string[];
}

/** Where a keeper has its socket, and a folder for each process with its pipes. */
export function keeperFolder(stateFolder: string): string {
  return join(stateFolder, 'keeper');
}

/** Its Unix socket. @param folder of the keeper, see {@link keeperFolder} */
export function keeperSocket(folder: string): string {
  return join(folder, 'socket');
}

/** Where a keeper says which process it is: `ProcessIdentity`. */
export function keeperIdentityFile(folder: string): string {
  return join(folder, 'pid');
}

/** Writes a message, however full the socket is: they are short and few. */
export function sendMessage(socket: Socket, message: KeeperRequest | KeeperAnswer | KeeperEvent): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

/** Calls back with each message of a connection. */
export function readMessages(socket: Socket, onMessage: (message: unknown) => void): void {
  let begun: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => {
    let at = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, at)) {
      const text = Buffer.concat([...begun, chunk.subarray(at, end)]).toString('utf8');
      begun = [];
      at = end + 1;
      onMessage(JSON.parse(text));
    }
    if (at < chunk.length) begun.push(chunk.subarray(at));
  });
}
