/**
 * What a server and the process that has started it say to each other when one server follows another. They may be of different versions:
 * fields and messages are only ever added.
 */

/** Of the process that a supervisor knows, to a server that it has started. */
export type HolderMessage =
  /** With a socket's handle. */
  | SocketMessage
  /** The server before has left: serve. */
  | { readonly type: 'go' }
  /** Another server is ready: pass on the sockets, and leave the dynos. */
  | { readonly type: 'leave' }
  /** It serves: take no more requests, and end. */
  | { readonly type: 'end' }
  | { readonly type: 'reload' }
  /** The next server, for which it has left, can't serve: serve again. */
  | { readonly type: 'come-back' }
  /** Another server was to follow, and can't. */
  | { readonly type: 'restart-failed' }
  /** Of a request that the server before has finished. */
  | RouterLine;

/** Of such a server. */
export type SuccessorMessage =
  /** It can serve as soon as the server before has left. */
  | { readonly type: 'ready' }
  /** With a socket's handle. */
  | SocketMessage
  | { readonly type: 'left' }
  | { readonly type: 'serving' }
  /** It was asked to be restarted. */
  | { readonly type: 'restart' }
  | RouterLine;

export interface SocketMessage {
  readonly type: 'socket';
  readonly name: string;
  readonly port: number;
}

export interface RouterLine {
  readonly type: 'router-line';
  readonly app: string;
  readonly message: string;
}

/** Says to a process that it follows a server; it is no setting. */
export const SUCCESSOR_VARIABLE = 'TAILRACE_SUCCESSOR';
