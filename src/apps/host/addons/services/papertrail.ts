import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../../../common/package-info.ts';
import { shellQuote } from '../../../../common/text/shell-quote.ts';
import type { LocalInstance, ProcessService } from '../local/local-service.ts';

/** Within the add-on's folder. */
const LINES_FOLDER = 'lines';
/** Of a day each, or of 100 MB. */
const FILES_KEPT = 400;
const MB = 1_048_576;

const url = ({ port, password }: LocalInstance): string => `http://drain:${password}@localhost:${port}/`;

/** The app's log in files, rotated and gzipped: the archive of this package, which takes it as a drain. */
export const papertrailService: ProcessService = {
  kind: 'process',
  service: 'papertrail',
  files: ({ port, password }) => ({
    'archive.env': [
      `ARCHIVE_PORT=${port}`,
      'ARCHIVE_HOST=127.0.0.1',
      `ARCHIVE_DIR=${LINES_FOLDER}`,
      `ARCHIVE_KEEP=${FILES_KEPT}`,
      'ARCHIVE_USER=drain',
      `ARCHIVE_PASSWORD=${password}`,
      '',
    ].join('\n'),
  }),
  command: () =>
    `set -a; . ./archive.env; exec ${shellQuote(process.execPath)} ${shellQuote(join(PACKAGE_ROOT, 'dist', 'drains', 'archive', 'main.js'))}`,
  facts: (instance) => ({ token: instance.password, url: url(instance) }),
  logDrainUrl: url,
  message: ({ folder }) => `The app's lines are kept in files on the server: ${join(folder, LINES_FOLDER)}`,
  async info({ folder }) {
    const files = await archiveFiles(join(folder, LINES_FOLDER));
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    return [
      { name: 'Folder', values: [join(folder, LINES_FOLDER)] },
      { name: 'Files', values: [String(files.length)] },
      { name: 'Size', values: [`${(bytes / MB).toFixed(1)} MB`] },
    ];
  },
};

async function archiveFiles(folder: string): Promise<{ size: number }[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const logs = names.filter((name) => /\.log(?:\.gz)?$/.test(name));
  return Promise.all(logs.map((name) => stat(join(folder, name)).catch(() => ({ size: 0 }))));
}
