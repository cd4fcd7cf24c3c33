import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../../../common/package-info.ts';
import { shellQuote } from '../../../../common/text/shell-quote.ts';
import type { LocalInstance, ProcessService } from '../local/local-service.ts';
import { askOwnProgram, derivedSecret } from '../local/own-program.ts';
import type { AddonInfoRow } from '../provider.ts';

/** Within the add-on's folder: of the viewer. */
const DATA_FOLDER = 'viewer';
/** Of the archive, as earlier versions ran it: such an add-on goes on as it is. */
const FILES_FOLDER = 'lines';
/** Of a day each, or of 100 MB. */
const FILES_KEPT = 400;
const MB = 1_048_576;

/** Of `GET api/status`, what is needed here. */
interface ViewerStatus {
  readonly lines: number;
  readonly raw_bytes: number;
  readonly disk_bytes: number;
}

const isArchive = ({ folder }: LocalInstance): boolean => existsSync(join(folder, FILES_FOLDER));
const drainToken = ({ password }: LocalInstance): string => `t.${derivedSecret(password, 'viewer token')}`;
const archiveUrl = ({ port, password }: LocalInstance): string =>
  `http://drain:${password}@localhost:${port}/`;
/** For the app: with the key, as clients of HTTP take it. */
const viewerUrl = ({ port, password }: LocalInstance): string => `http://key:${password}@localhost:${port}/`;

/** The app's log, kept and searched: the viewer of this package, which takes it as a drain. */
export const papertrailService: ProcessService = {
  kind: 'process',
  service: 'papertrail',
  files: (instance): Record<string, string> =>
    isArchive(instance)
      ? { 'archive.env': archiveSettings(instance) }
      : { 'viewer.env': viewerSettings(instance) },
  command: (instance) => {
    const [settings, ...program] = isArchive(instance)
      ? ['archive.env', 'drains', 'archive', 'main.js']
      : ['viewer.env', 'bundle', 'viewer.js'];
    return `set -a; . ./${settings}; exec ${shellQuote(process.execPath)} ${shellQuote(join(PACKAGE_ROOT, 'dist', ...program))}`;
  },
  facts: (instance) => ({
    token: instance.password,
    url: isArchive(instance) ? archiveUrl(instance) : viewerUrl(instance),
  }),
  logDrainUrl: (instance) =>
    isArchive(instance)
      ? archiveUrl(instance)
      : `http://token:${drainToken(instance)}@localhost:${instance.port}/logs?stream={app}`,
  page: (instance) => (isArchive(instance) ? undefined : { port: instance.port, key: instance.password }),
  message: ({ name }) => `The app's lines are kept. Search them with tailrace addons:open ${name}`,
  info: (instance) => (isArchive(instance) ? archiveInfo(instance) : viewerInfo(instance)),
};

function viewerSettings(instance: LocalInstance): string {
  return [
    `VIEWER_HTTP_PORT=${instance.port}`,
    'VIEWER_HOST=127.0.0.1',
    // Lines come over HTTP.
    'VIEWER_SYSLOG=no',
    `VIEWER_DATA=${DATA_FOLDER}`,
    `VIEWER_API_KEY=${instance.password}`,
    `VIEWER_TOKEN=${drainToken(instance)}`,
    'VIEWER_LOG_LEVEL=warn',
    `TAILRACE_ADDON=${instance.pageUrl ?? ''}`,
    '',
  ].join('\n');
}

function archiveSettings({ port, password }: LocalInstance): string {
  return [
    `ARCHIVE_PORT=${port}`,
    'ARCHIVE_HOST=127.0.0.1',
    `ARCHIVE_DIR=${FILES_FOLDER}`,
    `ARCHIVE_KEEP=${FILES_KEPT}`,
    'ARCHIVE_USER=drain',
    `ARCHIVE_PASSWORD=${password}`,
    '',
  ].join('\n');
}

async function viewerInfo(instance: LocalInstance): Promise<readonly AddonInfoRow[]> {
  const { lines, raw_bytes, disk_bytes } = await askOwnProgram<ViewerStatus>(instance, 'api/status');
  return [
    { name: 'Lines', values: [String(lines)] },
    { name: 'Size', values: [`${megabytes(raw_bytes)}, packed ${megabytes(disk_bytes)}`] },
  ];
}

async function archiveInfo({ folder }: LocalInstance): Promise<readonly AddonInfoRow[]> {
  const path = join(folder, FILES_FOLDER);
  const files = await archiveFiles(path);
  return [
    { name: 'Folder', values: [path] },
    { name: 'Files', values: [String(files.length)] },
    { name: 'Size', values: [megabytes(files.reduce((sum, { size }) => sum + size, 0))] },
  ];
}

async function archiveFiles(folder: string): Promise<{ size: number }[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const logs = names.filter((name) => /\.log(?:\.gz)?$/.test(name));
  return Promise.all(logs.map((name) => stat(join(folder, name)).catch(() => ({ size: 0 }))));
}

function megabytes(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`;
}
