/** What a listener took and what it turned away, since the start. */
export interface ListenerCounters {
  readonly protocol: string;
  lines: number;
  /** Bytes of the lines that were taken. */
  bytes: number;
  malformed: number;
  unknownToken: number;
  /** Lines turned away because too much waited to be stored. */
  lost: number;
  /** Lines turned away because their token or app had sent more than it may. */
  limited: number;
  /** Frames that had been stored before. */
  duplicates: number;
  connections: number;
  /** Connections that were ended because they were too many, idle, or too slow. */
  cut: number;
}

export function createListenerCounters(protocol: string): ListenerCounters {
  return {
    protocol,
    lines: 0,
    bytes: 0,
    malformed: 0,
    unknownToken: 0,
    lost: 0,
    limited: 0,
    duplicates: 0,
    connections: 0,
    cut: 0,
  };
}
