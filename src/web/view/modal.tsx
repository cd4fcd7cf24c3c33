import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from './icon.tsx';

/** Something over the page that is closed again. */
export function Modal({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    // Not the button that closes it, which is where a browser would begin.
    const first = dialog.current?.querySelector<HTMLElement>('input') ?? dialog.current;
    first?.focus();
  }, []);
  return (
    <dialog ref={dialog} class="modal" aria-label={title} tabIndex={-1} onClose={onClose}>
      <header>
        <h2>{title}</h2>
        <button type="button" class="toolbar-button" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </dialog>
  );
}
