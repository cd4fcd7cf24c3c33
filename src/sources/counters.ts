/** What a listener took and what it turned away, since the start. */
export interface SourceCounters {
  readonly protocol: string;
  lines: number;
  /** Bytes of the lines that were taken. */
  bytes: number;
  malformed: number;
  unknownToken: number;
  /** Lines turned away because too much waited to be stored. */
  lost: number;
  /** Frames that had been stored before. */
  duplicates: number;
  connections: number;
}

export function sourceCounters(protocol: string): SourceCounters {
  return {
    protocol,
    lines: 0,
    bytes: 0,
    malformed: 0,
    unknownToken: 0,
    lost: 0,
    duplicates: 0,
    connections: 0,
  };
}
