/** What pages beside the logs are made of: headings, addresses to copy, questions. */

import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { visibleText } from '../../text/visible-text.ts';
import { FormError } from '../../view/controls/form-error.tsx';
import { Icon } from '../../view/icon.tsx';
import { Modal } from '../../view/modal.tsx';
import type { ViewerPage } from '../viewer-page.ts';

interface PlaceFrameProps {
  readonly title: string;
  readonly hint: ComponentChildren;
  /** Beside the title. */
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A page beside the logs. */
export function PlaceFrame({ title, hint, actions, children }: PlaceFrameProps) {
  return (
    <main class="place">
      <div class="place-body">
        <header class="place-head">
          <h2>{title}</h2>
          <p class="hint">{hint}</p>
          {actions && <div class="place-actions">{actions}</div>}
        </header>
        {children}
      </div>
    </main>
  );
}

/** Something that is copied: an address, a token. */
export function CopyField({ label, value, page }: { label: string; value: string; page: ViewerPage }) {
  return (
    <div class="copy-field">
      <span>{label}</span>
      <code>{visibleText(value)}</code>
      <button
        type="button"
        class="icon-button"
        title={`Copy: ${label}`}
        aria-label={`Copy: ${label}`}
        onClick={() => void page.copyToClipboard(value, label)}
      >
        <Icon name="copy" />
      </button>
    </div>
  );
}

export interface QuestionProps {
  readonly title: string;
  /** What it is about. */
  readonly text?: ComponentChildren;
  /** Asks for a name, which is this at first; without it, only for a yes. */
  readonly name?: string;
  readonly button: string;
  readonly isDangerous?: boolean;
  /** Does it; what it throws is shown. */
  readonly onAnswer: (name: string) => Promise<unknown>;
  readonly onClose: () => void;
}

/** Asks for a name, or whether one is sure. */
export function Question(props: QuestionProps) {
  const { title, text, name, button, isDangerous = false, onAnswer, onClose } = props;
  const box = useRef<HTMLInputElement>(null);
  const [error, setError] = useState('');
  const submit = async (): Promise<void> => {
    try {
      await onAnswer(box.current?.value.trim() ?? '');
      onClose();
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    }
  };
  return (
    <Modal title={title} onClose={onClose}>
      <form
        class="time-form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {text && <p>{text}</p>}
        {name !== undefined && (
          <label>
            <span>Name</span>
            <input ref={box} name="name" autocomplete="off" required maxLength={100} defaultValue={name} />
          </label>
        )}
        <FormError text={error} />
        <div class="form-buttons">
          <button type="button" class="plain-button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" data-danger={isDangerous}>
            {button}
          </button>
        </div>
      </form>
    </Modal>
  );
}

interface ActionButtonProps {
  readonly icon:
    | 'plus'
    | 'trash'
    | 'pencil'
    | 'copy'
    | 'link'
    | 'download'
    | 'play'
    | 'pause'
    | 'bell'
    | 'open';
  readonly label: string;
  readonly isOpen?: boolean;
  readonly onClick: () => void;
}

/** A small button of a row. */
export function ActionButton({ icon, label, isOpen, onClick }: ActionButtonProps) {
  return (
    <button
      type="button"
      class="icon-button"
      title={label}
      aria-label={label}
      aria-expanded={isOpen}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
