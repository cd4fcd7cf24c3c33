/** What a listener accepted and what it rejected, since the start. */
export interface ListenerCounters {
  readonly protocol: string;
  lines: number;
  /** Bytes of the accepted lines. */
  bytes: number;
  /** Frames and bodies that weren't syslog lines. */
  malformed: number;
  /** Lines without a header that were taken, since it is known whose they are. */
  headerless: number;
  /** Octet-counted frames whose count couldn't be right: what was found instead was taken. */
  miscounted: number;
  /** Frames that were longer than is taken: their beginnings were taken. */
  oversized: number;
  /** Lines whose log source is unknown. */
  unknownToken: number;
  /** Lines rejected because too much waited to be stored. */
  lost: number;
  /** Lines rejected by a rate limit. */
  limited: number;
  /** Lines of requests that had been stored before. */
  duplicates: number;
  connections: number;
  /** Connections that were ended because they were too many, idle, or too slow. */
  cut: number;
}

/** All at 0. @param protocol as `/metrics` names it */
export function createListenerCounters(protocol: string): ListenerCounters {
  return {
    protocol,
    lines: 0,
    bytes: 0,
    malformed: 0,
    headerless: 0,
    miscounted: 0,
    oversized: 0,
    unknownToken: 0,
    lost: 0,
    limited: 0,
    duplicates: 0,
    connections: 0,
    cut: 0,
  };
}
