import { useEffect, useRef, useState } from 'preact/hooks';
import { errorMessage } from '../../../common/text/error-message.ts';
import { formatBytes } from '../../../common/text/format-numbers.ts';
import { visibleText } from '../../text/visible-text.ts';
import { Modal } from '../modal.tsx';

export interface DownloadChoice {
  readonly format: 'text' | 'ndjson';
  readonly gzip: boolean;
  /** The range that is looked at, or everything that is kept. */
  readonly isAll: boolean;
}

export interface DownloadFormProps {
  /** What is downloaded, in words: the filters; '' for all lines. */
  readonly what: string;
  /** The range that is looked at, in words; '' when there is none. */
  readonly range: string;
  /** Makes the file, and hands it to the browser. Rejects with a sentence as the error's message. */
  readonly onDownload: (
    choice: DownloadChoice,
    onProgress: (bytes: number) => void,
    signal: AbortSignal,
  ) => Promise<void>;
  readonly onClose: () => void;
}

/** Asks in which form lines are wanted, and says how far it is. */
export function DownloadForm({ what, range, onDownload, onClose }: DownloadFormProps) {
  const [choice, setChoice] = useState<DownloadChoice>({ format: 'text', gzip: false, isAll: range === '' });
  const [state, setState] = useState<{ readonly text: string; readonly isError: boolean } | undefined>();
  const controller = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => controller.current?.abort(), []);
  const change = (part: Partial<DownloadChoice>): void => setChoice({ ...choice, ...part });
  const start = async (): Promise<void> => {
    const own = new AbortController();
    controller.current = own;
    setState({ text: 'Reading …', isError: false });
    try {
      const onProgress = (bytes: number): void =>
        setState({ text: `Reading: ${formatBytes(bytes)} so far`, isError: false });
      await onDownload(choice, onProgress, own.signal);
      onClose();
    } catch (error) {
      if (!own.signal.aborted) setState({ text: errorMessage(error), isError: true });
    }
  };
  return (
    <Modal title="Download" onClose={onClose}>
      <form
        class="download-form"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <p>
          {what === '' ? (
            'All lines'
          ) : (
            <>
              Lines with <code>{visibleText(what)}</code>
            </>
          )}
        </p>
        <fieldset>
          <legend>Time</legend>
          {range !== '' && (
            <label>
              <input
                type="radio"
                name="range"
                checked={!choice.isAll}
                onChange={() => change({ isAll: false })}
              />
              {range}
            </label>
          )}
          <label>
            <input
              type="radio"
              name="range"
              checked={choice.isAll}
              onChange={() => change({ isAll: true })}
            />
            everything that is kept
          </label>
        </fieldset>
        <fieldset>
          <legend>Form</legend>
          <label>
            <input
              type="radio"
              name="format"
              checked={choice.format === 'text'}
              onChange={() => change({ format: 'text' })}
            />
            text, as in a terminal
          </label>
          <label>
            <input
              type="radio"
              name="format"
              checked={choice.format === 'ndjson'}
              onChange={() => change({ format: 'ndjson' })}
            />
            NDJSON, with every field
          </label>
          <label>
            <input
              type="checkbox"
              name="gzip"
              checked={choice.gzip}
              onChange={({ currentTarget }) => change({ gzip: currentTarget.checked })}
            />
            packed with gzip
          </label>
        </fieldset>
        {state && (
          <p role="status" class={state.isError ? 'error-text' : 'hint'}>
            {visibleText(state.text)}
          </p>
        )}
        <button type="submit" disabled={state?.isError === false}>
          Download
        </button>
      </form>
    </Modal>
  );
}
