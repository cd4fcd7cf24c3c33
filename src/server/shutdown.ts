/** What becomes of a server that stops, or that another one follows at once. */

/** A server that only serves requests to apps any more. */
export interface DrainingServer {
  /** The next one serves: takes no more requests. Resolves when those under way have ended. */
  finishRequests(): Promise<void>;
}

/** Takes lines about requests. */
export type RouterLineSink = (app: string, message: string) => void;

/** Set when another server is about to follow at once. */
export interface Handover {
  routerLine: RouterLineSink | undefined;
}

/** How long drains may finish what is under way when the server stops. */
export const GRACE_MS = 3_000;
/** The same when another server goes on at once: it sends what has failed again. */
export const HANDOVER_GRACE_MS = 300;
