/** Imports a file of lines into a stream: looked through as a whole first, so that of a file that was cut off nothing is taken. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { AppId } from '../../../src/logs/store/contract.ts';
import type { ImportedLine, LineStore } from '../store/contract.ts';
import { type FileFormat, FileLines, type ReadLine } from './formats/read-lines.ts';
import { textLines } from './formats/text-lines.ts';

export interface ImportRequest {
  readonly stream: AppId;
  /** Of the file on this machine. */
  readonly path: string;
  /** For the sentences. */
  readonly name: string;
  /** Undefined: it is seen by the first line. */
  readonly format?: FileFormat;
  /** Of an archive with several streams: only lines of this one. */
  readonly onlyStream?: string;
  readonly signal?: AbortSignal;
}

export interface ImportResult {
  /** Lines that were added: none when the file was imported before. */
  readonly lines: number;
  /** Lines of the file that can't be read. */
  readonly unreadable: number;
  readonly format: FileFormat | undefined;
  /** The same file, however it is compressed, has the same. */
  readonly importId: string;
  /** A sentence about what could not be read. */
  readonly problem: string | undefined;
}

/**
 * Imports a file; the same file again adds nothing.
 * @throws TailraceError `bad_request` when it was cut off, is damaged, or in no form that is known.
 */
export async function importFile(store: LineStore, request: ImportRequest): Promise<ImportResult> {
  const { stream, path, name, format, onlyStream, signal } = request;
  const hash = createHash('sha256');
  const probe = new FileLines(name, format);
  let isProbed = false;
  for await (const texts of textLines(createReadStream(path), name, hash)) {
    signal?.throwIfAborted();
    // What form it has is seen at once, so that a file in none is refused before much of it was read.
    if (!isProbed) isProbed = probe.take(texts.slice(0, 10)).length > 0 || probe.format !== undefined;
  }
  const importId = `sha256:${hash.digest('hex')}`;
  const lines = new FileLines(name, format);
  const found = fileLines(path, lines, onlyStream, signal);
  const added = await store.importLines(stream, importId, found);
  return {
    lines: added,
    unreadable: lines.unreadable,
    format: probe.format,
    importId,
    problem: lines.problem,
  };
}

async function* fileLines(
  path: string,
  lines: FileLines,
  onlyStream: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly ImportedLine[]> {
  const isWanted = ({ stream }: ReadLine): boolean => onlyStream === undefined || stream === onlyStream;
  for await (const texts of textLines(createReadStream(path), path)) {
    signal?.throwIfAborted();
    const found = lines.take(texts).filter(isWanted);
    if (found.length > 0) yield found;
  }
  const last = lines.end().filter(isWanted);
  if (last.length > 0) yield last;
}
