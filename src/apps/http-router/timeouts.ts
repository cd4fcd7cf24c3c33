/** How long the HTTP router waits, in milliseconds. The defaults are Heroku's where Heroku has the number. */
export type HttpRouterTimeouts = {
  /** For a connection to a dyno, then H19 or the next dyno. */
  connectMs: number;
  /** From the last byte of the request to the first of the response, then H12. */
  firstByteMs: number;
  /** Between two bytes of a body or of a tunnel, then H15 (dyno) or H28 (client). */
  idleMs: number;
  /** For a dyno that is starting, then H20. */
  bootMs: number;
  /** How long a dyno that couldn't be connected to is avoided. */
  quarantineMs: number;
  /** For the next request on a client's connection; longer than the 60 s that are the default of load balancers. */
  keepAliveMs: number;
  /** From the first byte of a request to the end of its headers. */
  headMs: number;
  /** How long a client may go on sending after its response, so that a reset doesn't destroy that response. */
  lingerMs: number;
};

export const DEFAULT_ROUTER_TIMEOUTS: HttpRouterTimeouts = {
  connectMs: 5_000,
  firstByteMs: 30_000,
  idleMs: 55_000,
  bootMs: 75_000,
  quarantineMs: 5_000,
  keepAliveMs: 90_000,
  headMs: 30_000,
  lingerMs: 5_000,
};
