/** A line of one of many streams, as the page has it. */
import { type Line, parseLine } from '../../stream/line.ts';
import type { ViewerLineJson } from '../api/viewer-json.ts';

/**
 * `at` is where the line stands in this page's list, and nothing else: the streams' own positions don't say which of two lines of
 * different streams is before the other.
 */
export interface ViewerLine extends Line {
  /** The id of the line's stream. */
  readonly stream: string;
}

/** Which line of all it is, in an address too: `STREAM.POSITION`. */
export function lineKey({
  stream,
  position,
}: {
  readonly stream: string;
  readonly position: string;
}): string {
  return `${stream}.${position}`;
}

/** The stream and the position of a line's key; undefined when it is none. */
export function parseLineKey(
  key: string,
): { readonly stream: string; readonly position: string } | undefined {
  const dot = key.lastIndexOf('.');
  const position = key.slice(dot + 1);
  return dot > 0 && /^-?\d{1,16}$/.test(position) ? { stream: key.slice(0, dot), position } : undefined;
}

/** @param streamName what the line's stream is called where lines of several stand in one list */
export function parseViewerLine(json: ViewerLineJson, streamName: string | undefined): ViewerLine {
  return { ...parseLine(json), stream: json.stream, streamName };
}
