/** What pages beside the logs are made of: headings, addresses to copy, questions. */

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { visibleText } from '../../text/visible-text.ts';
import { DialogForm, typedText } from '../../view/controls/dialog-form.tsx';
import { Icon } from '../../view/icon.tsx';
import { Modal } from '../../view/modal.tsx';
import type { ViewerPage } from '../viewer-page.ts';

interface SettingsFrameProps {
  readonly title: string;
  readonly hint: ComponentChildren;
  /** Beside the title. */
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A page beside the logs. */
export function SettingsFrame({ title, hint, actions, children }: SettingsFrameProps) {
  return (
    <main class="settings">
      <div class="settings-body">
        <header class="settings-head">
          <h2>{title}</h2>
          <p class="hint">{hint}</p>
          {actions && <div class="settings-actions">{actions}</div>}
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

interface QuestionProps {
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
function Question(props: QuestionProps) {
  const { title, text, name, button, isDangerous = false, onAnswer, onClose } = props;
  return (
    <Modal title={title} onClose={onClose}>
      <DialogForm
        onSubmit={async (values) => {
          await onAnswer(typedText(values, 'name'));
          onClose();
        }}
        buttons={
          <CancelOr onCancel={onClose}>
            <button type="submit" data-danger={isDangerous}>
              {button}
            </button>
          </CancelOr>
        }
      >
        {text && <p>{text}</p>}
        {name !== undefined && (
          <label>
            <span>Name</span>
            <input name="name" autocomplete="off" required maxLength={100} defaultValue={name} />
          </label>
        )}
      </DialogForm>
    </Modal>
  );
}

/** Asks a question of the page; at most one is asked at a time. */
export type Ask = (question: Omit<QuestionProps, 'onClose'>) => void;

/** What asks questions, and the one that is asked, which the page shows. */
export function useQuestion(): [Ask, ComponentChildren] {
  const [question, setQuestion] = useState<Omit<QuestionProps, 'onClose'> | undefined>(undefined);
  return [setQuestion, question && <Question {...question} onClose={() => setQuestion(undefined)} />];
}

/** The buttons of a dialog: one that leaves things as they are, and one that doesn't. */
export function CancelOr({ onCancel, children }: { onCancel: () => void; children: ComponentChildren }) {
  return (
    <div class="form-buttons">
      <button type="button" class="plain-button" onClick={onCancel}>
        Cancel
      </button>
      {children}
    </div>
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
