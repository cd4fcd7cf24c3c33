import { useEffect, useRef, useState } from 'preact/hooks';
import { errorMessage } from '../../../common/text/error-message.ts';
import { formatBytes, formatCount, formatNumber } from '../../../common/text/format-numbers.ts';
import { RelativeTime } from '../../addons/shared/relative-time.tsx';
import { visibleText } from '../../text/visible-text.ts';
import { Icon } from '../../view/icon.tsx';
import { Modal } from '../../view/modal.tsx';
import type { ArchivedFileJson, ArchivesJson, RetentionJson, StreamGroupJson } from '../api/viewer-json.ts';
import type { ViewerPage } from '../viewer-page.ts';
import { ActionButton, SettingsFrame } from './settings-frame.tsx';
import { Card, RowActions, SettingsTable } from './settings-table.tsx';

const FILES_SHOWN = 500;
/** Of a file that is sent; the server takes no more at once. */
const PIECE_BYTES = 4 << 20;

interface ImportJson {
  readonly lines: number;
  readonly unreadable?: number;
  readonly problem?: string;
}

/** Files that outlive this viewer, and how long lines are kept in it. */
export function ArchivesPage({ page }: { page: ViewerPage }) {
  const [archives, setArchives] = useState<ArchivesJson | undefined>(undefined);
  const [imported, setImported] = useState<ArchivedFileJson | 'file' | undefined>(undefined);
  const load = (): Promise<boolean> =>
    page.attempt(async () => setArchives(await page.client.get<ArchivesJson>('api/archives')));
  useEffect(() => void load(), []);
  const problems = [archives?.trouble, ...(archives?.problems ?? [])].filter((text) => text !== undefined);
  const ownGroups = (page.groups.value ?? []).filter(({ role }) => role === 'owner');
  return (
    <SettingsFrame
      title="Archives"
      hint="Every hour of lines becomes a file that other tools read, and that outlives this viewer."
      actions={
        ownGroups.length > 0 && (
          <button type="button" class="main-button" onClick={() => setImported('file')}>
            <Icon name="plus" /> Import a file
          </button>
        )
      }
    >
      {problems.map((problem) => (
        <p key={problem} class="settings-problem" role="alert">
          {visibleText(problem)}
        </p>
      ))}
      {archives && (
        <ArchivedFiles archives={archives} onImport={ownGroups.length > 0 ? setImported : undefined} />
      )}
      {page.groups.value && page.groups.value.length > 0 && (
        <Card label="How long lines are kept" head={<h3>How long lines are kept here</h3>}>
          <SettingsTable columns={['group', 'for', 'as long as they take no more than']}>
            <tbody>
              {page.groups.value.map((group) => (
                <RetentionRow key={group.id} group={group} page={page} />
              ))}
            </tbody>
          </SettingsTable>
        </Card>
      )}
      {imported && (
        <ImportDialog
          page={page}
          file={imported === 'file' ? undefined : imported}
          onClose={() => {
            setImported(undefined);
            void page.loadGroups();
          }}
        />
      )}
    </SettingsFrame>
  );
}

interface ArchivedFilesProps {
  readonly archives: ArchivesJson;
  /** Undefined: whoever looks has no group to import into. */
  readonly onImport: ((file: ArchivedFileJson) => void) | undefined;
}

function ArchivedFiles({ archives, onImport }: ArchivedFilesProps) {
  const { files, archive, lastArchivedAt } = archives;
  return (
    <Card
      label="Files"
      head={
        <>
          <h3>Files</h3>
          <p class="hint">
            {archive ? visibleText(archive) : 'Nothing is archived'}
            {lastArchivedAt && (
              <>
                , the last <RelativeTime ms={Date.parse(lastArchivedAt)} />
              </>
            )}
          </p>
        </>
      }
    >
      {files.length === 0 ? (
        <p class="settings-empty">
          {archive
            ? 'No file yet: the first comes when an hour is over.'
            : 'Start the viewer with VIEWER_ARCHIVE, a folder or s3://bucket/folder, and hours are archived there.'}
        </p>
      ) : (
        <SettingsTable columns={['file', 'group', 'lines', 'size']} numbers={['lines', 'size']}>
          <tbody>
            {files.slice(0, FILES_SHOWN).map((file) => (
              <tr key={file.name}>
                <th scope="row">
                  <a href={`api/archives/${file.name.split('/').map(encodeURIComponent).join('/')}`} download>
                    {visibleText(file.name)}
                  </a>
                </th>
                <td>{visibleText(file.group?.name ?? '')}</td>
                <td class="number">{file.lines === null ? '' : formatNumber(file.lines)}</td>
                <td class="number">{formatBytes(file.bytes)}</td>
                <RowActions>
                  {onImport && (
                    <button type="button" class="plain-button" onClick={() => onImport(file)}>
                      Import
                    </button>
                  )}
                </RowActions>
              </tr>
            ))}
          </tbody>
        </SettingsTable>
      )}
      {files.length > FILES_SHOWN && (
        <p class="settings-empty">{formatCount(files.length - FILES_SHOWN, 'older file')} besides.</p>
      )}
    </Card>
  );
}

function RetentionRow({ group, page }: { group: StreamGroupJson; page: ViewerPage }) {
  const [retention, setRetention] = useState<RetentionJson | undefined>(undefined);
  const [isChanging, setChanging] = useState(false);
  const keep = useRef<HTMLInputElement>(null);
  const gigabytes = useRef<HTMLInputElement>(null);
  const path = `api/groups/${encodeURIComponent(group.id)}/retention`;
  useEffect(
    () =>
      void page.attempt(async () => {
        setRetention(await page.client.get<RetentionJson>(path));
      }),
    [],
  );
  if (!retention) return null;
  const save = (): Promise<boolean> =>
    page.attempt(async () => {
      const age = keep.current?.value.trim();
      const bytes = Number(gigabytes.current?.value) * 2 ** 30;
      setRetention(
        await page.client.change<RetentionJson>('PUT', path, {
          ...(age && { keep: age }),
          ...(bytes > 0 && { bytes: Math.round(bytes) }),
        }),
      );
      setChanging(false);
    });
  const name = visibleText(group.name);
  const { effective } = retention;
  return (
    <tr>
      <th scope="row">{name}</th>
      {isChanging ? (
        <>
          <td>
            <input
              ref={keep}
              class="plain-input"
              aria-label={`Keep lines of ${name} for`}
              placeholder={effective.keep ?? 'forever'}
              defaultValue={retention.keep ?? ''}
            />
          </td>
          <td>
            <input
              ref={gigabytes}
              class="plain-input"
              type="number"
              min="0"
              step="any"
              aria-label={`Gigabytes for ${name}`}
              placeholder="GB"
              defaultValue={retention.bytes === null ? '' : String(retention.bytes / 2 ** 30)}
            />{' '}
            GB
          </td>
        </>
      ) : (
        <>
          <td>{effective.keep ?? 'forever'}</td>
          <td>{effective.bytes === null ? 'no limit' : formatBytes(effective.bytes)}</td>
        </>
      )}
      <RowActions>
        {group.role === 'owner' &&
          (isChanging ? (
            <button type="button" class="plain-button" onClick={() => void save()}>
              Save
            </button>
          ) : (
            <ActionButton
              icon="pencil"
              label={`Change how long lines of ${name} are kept`}
              onClick={() => setChanging(true)}
            />
          ))}
      </RowActions>
    </tr>
  );
}

interface ImportDialogProps {
  readonly page: ViewerPage;
  /** One of the archive; undefined: one from this computer. */
  readonly file: ArchivedFileJson | undefined;
  readonly onClose: () => void;
}

function ImportDialog({ page, file, onClose }: ImportDialogProps) {
  const chosen = useRef<HTMLInputElement>(null);
  const stream = useRef<HTMLSelectElement>(null);
  const [state, setState] = useState<
    { readonly text: string; readonly kind: 'busy' | 'error' | 'done' } | undefined
  >(undefined);
  const streams = (page.groups.value ?? [])
    .filter(({ role }) => role === 'owner')
    .flatMap((group) => group.streams.map(({ id, name }) => ({ id, name: `${group.name}: ${name}` })));
  const send = async (): Promise<void> => {
    const id = stream.current?.value ?? '';
    try {
      setState({ text: 'Reading …', kind: 'busy' });
      const result = file
        ? await page.client.change<ImportJson>('POST', 'api/archives/import', {
            name: file.name,
            ...(id && { stream: id }),
          })
        : await upload(page, id, chosen.current?.files?.[0], (text) => setState({ text, kind: 'busy' }));
      const unreadable = result.unreadable
        ? `, ${formatCount(result.unreadable, 'line')} couldn’t be read`
        : '';
      const problem = result.problem ? `. ${result.problem}` : '';
      setState({
        text: `${formatCount(result.lines, 'line')} imported${unreadable}${problem}`,
        kind: 'done',
      });
    } catch (failure) {
      setState({ text: errorMessage(failure), kind: 'error' });
    }
  };
  return (
    <Modal title={file ? `Import ${visibleText(file.name)}` : 'Import a file'} onClose={onClose}>
      <form
        class="time-form wide-labels"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <p class="hint">
          Its lines stand where their times put them. A file that was imported before adds nothing.
          {!file && ' NDJSON, Papertrail’s archives (.tsv.gz) and plain text are read, also packed.'}
        </p>
        {!file && (
          <label>
            <span>File</span>
            <input ref={chosen} type="file" name="file" required />
          </label>
        )}
        <label>
          <span>Stream</span>
          <select
            ref={stream}
            name="stream"
            class="plain-select"
            required={!file || file.streams.length === 0}
          >
            {file && file.streams.length > 0 && <option value="">those that they are of</option>}
            {streams.map(({ id, name }) => (
              <option key={id} value={id}>
                {visibleText(name)}
              </option>
            ))}
          </select>
        </label>
        {state && (
          <p
            class={state.kind === 'error' ? 'error-text' : 'hint'}
            role={state.kind === 'error' ? 'alert' : 'status'}
          >
            {visibleText(state.text)}
          </p>
        )}
        <div class="form-buttons">
          <button type="button" class="plain-button" onClick={onClose}>
            {state?.kind === 'done' ? 'Close' : 'Cancel'}
          </button>
          {state?.kind !== 'done' && (
            <button type="submit" disabled={state?.kind === 'busy'}>
              Import
            </button>
          )}
        </div>
      </form>
    </Modal>
  );
}

/** In pieces, so that a file may be larger than a request. */
async function upload(
  page: ViewerPage,
  stream: string,
  file: File | undefined,
  onProgress: (text: string) => void,
): Promise<ImportJson> {
  if (!file) throw new Error('Choose a file.');
  const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
  const path = `api/streams/${encodeURIComponent(stream)}`;
  for (let offset = 0; offset === 0 || offset < file.size; offset += PIECE_BYTES) {
    await page.client.sendBytes(
      `${path}/uploads/${id}?offset=${offset}`,
      file.slice(offset, offset + PIECE_BYTES),
    );
    onProgress(
      `${Math.round((Math.min(file.size, offset + PIECE_BYTES) / Math.max(1, file.size)) * 100)} % sent`,
    );
  }
  onProgress('Reading its lines …');
  return page.client.change<ImportJson>('POST', `${path}/import`, { upload: id, name: file.name });
}
