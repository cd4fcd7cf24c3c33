import { visibleText } from '../../text/visible-text.ts';

/** What was wrong with what was sent; nothing while that is empty. */
export function FormError({ text }: { text: string }) {
  if (text === '') return null;
  return (
    <p class="error-text" role="alert">
      {visibleText(text)}
    </p>
  );
}
