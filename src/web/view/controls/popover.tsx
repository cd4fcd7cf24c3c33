import type { ComponentChildren, TargetedToggleEvent } from 'preact';
import { useId, useRef } from 'preact/hooks';

/** Room that is left to the edges of the page, in pixels. */
const MARGIN_PX = 8;

export interface PopoverProps {
  /** What is on the button. */
  readonly button: ComponentChildren;
  readonly buttonClass: string;
  /** What the button opens, for those who don't see it. */
  readonly label: string;
  readonly title?: string;
  readonly isInvalid?: boolean;
  readonly children: ComponentChildren;
}

/** A button with something that opens below it; a click beside it or the escape key closes it. */
export function Popover({ button, buttonClass, label, title, isInvalid, children }: PopoverProps) {
  const id = useId();
  const opener = useRef<HTMLButtonElement>(null);
  const place = (event: TargetedToggleEvent<HTMLDivElement>): void => {
    const { currentTarget: panel } = event;
    opener.current?.setAttribute('aria-expanded', String(event.newState === 'open'));
    const box = opener.current?.getBoundingClientRect();
    if (event.newState !== 'open' || !box) return;
    const left = Math.min(box.left, innerWidth - panel.offsetWidth - MARGIN_PX);
    panel.style.left = `${Math.max(MARGIN_PX, left)}px`;
    panel.style.top = `${box.bottom + 4}px`;
    panel.style.maxHeight = `${innerHeight - box.bottom - 4 - MARGIN_PX}px`;
    panel.querySelector<HTMLElement>('input, button')?.focus();
  };
  return (
    <>
      <button
        ref={opener}
        type="button"
        class={buttonClass}
        popovertarget={id}
        aria-label={label}
        aria-expanded={false}
        aria-invalid={isInvalid}
        title={title}
      >
        {button}
      </button>
      <div id={id} popover="auto" class="popover" role="dialog" aria-label={label} onToggle={place}>
        {children}
      </div>
    </>
  );
}
