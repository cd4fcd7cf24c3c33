/** Reads the bodies of fast-path requests. What takes long or is odd in any way is left to Node's path, and so is everything that is wrong. */

import { TailraceError } from '../../../../common/errors.ts';
import { detectDecoder } from '../../bodies/body-charset.ts';
import { type ParseJob, parseQuickly } from '../../bodies/parse-body.ts';
import { gunzipQuickly } from '../../bodies/read-body.ts';
import type { RecordForm } from '../../formats/wasm/wasm-records.ts';
import { ParsedLines, type RequestLines, TextLines } from '../request-lines.ts';
import type { FastPathHead } from './fast-path-head.ts';

/** A body, decompressed; undefined when it isn't a small one of gzip. */
export function unpackFastPathBody({ isGzip }: FastPathHead, body: Buffer): Buffer | undefined {
  return isGzip ? gunzipQuickly(body) : body;
}

/**
 * The lines of a body, decompressed, that isn't of logplex-1; undefined when Node's path has to read it.
 * @param source the name of the token's source
 * @param form that records of its lines have
 */
export function readFastPathLines(
  { format, dyno }: FastPathHead,
  body: Buffer,
  source: string,
  form: RecordForm | undefined,
): RequestLines | undefined {
  try {
    switch (format) {
      case 'logplex':
        return undefined;
      case 'text':
        return detectDecoder(body) ? undefined : new TextLines(body, dyno);
      case 'otlp-json':
      case 'otlp-protobuf':
        return parse({ format, body, form, source: { source, keepService: false } });
      default:
        return detectDecoder(body) ? undefined : parse({ format, body, form, dyno });
    }
  } catch (error) {
    if (error instanceof TailraceError) return undefined;
    throw error;
  }
}

function parse(job: ParseJob): RequestLines | undefined {
  const lines = parseQuickly(job);
  // A partial success is told of by Node's path.
  return lines && !lines.rejected ? new ParsedLines(job.body, lines) : undefined;
}
