/** Lines as text, in the form in which they are downloaded: `2012-12-10T03:00:48.123456+00:00 app[web.1]: hello`. */
import { parseAnsi } from '../../text/ansi.ts';
import { partsOf, type ViewerLine } from '../lines/viewer-line.ts';

export function linesAsText(lines: readonly ViewerLine[]): string {
  return lines
    .flatMap(partsOf)
    .map(
      ({ timestamp, source, dyno, message }) =>
        `${timestamp} ${source}[${dyno}]: ${parseAnsi(message).text}\n`,
    )
    .join('');
}
