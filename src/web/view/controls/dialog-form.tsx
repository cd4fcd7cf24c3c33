import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { errorMessage } from '../../../common/text/error-message.ts';
import { FormError } from './form-error.tsx';

export interface DialogFormProps {
  readonly class?: string;
  /** Does it; what it throws is shown above the buttons. */
  readonly onSubmit: (values: FormData) => Promise<void>;
  readonly buttons: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A dialog's form, whose fields are read by their names when it is sent. */
export function DialogForm({ class: ofForm = '', onSubmit, buttons, children }: DialogFormProps) {
  const [error, setError] = useState('');
  const submit = (form: HTMLFormElement): void => {
    onSubmit(new FormData(form)).catch((failure: unknown) => setError(errorMessage(failure)));
  };
  return (
    <form
      class={`time-form ${ofForm}`.trim()}
      onSubmit={(event) => {
        event.preventDefault();
        submit(event.currentTarget);
      }}
    >
      {children}
      <FormError text={error} />
      {buttons}
    </form>
  );
}

/** What was typed into a field, without spaces around it; '' when there is no such field. */
export function typedText(values: FormData, name: string): string {
  return String(values.get(name) ?? '').trim();
}
