/** Applies the plan of an import: its steps, each as far as it isn't done: what was interrupted is finished by running it again. */
import { type ErrorCode, TailraceError } from '../../common/errors.ts';
import type { ApiClient } from '../api-client.ts';
import type { ImportStep } from './import-plan.ts';

/** What became of a step. */
export interface ImportResult {
  readonly what: string;
  readonly state: 'planned' | 'there' | 'done' | 'failed';
  /** Of one that failed: why. */
  readonly reason?: string;
  /** Of somebody who was invited: the link, which is shown once. */
  readonly invitation?: string;
}

/** After these nothing else will work: the server is gone, or nobody may change anything here. */
const FATAL: readonly ErrorCode[] = ['unavailable', 'unauthorized'];

/**
 * Does one step after the other, also behind one that fails, unless there was no use in that.
 * @param app its name here
 * @param onResult is told at once what became of each step
 */
export async function applyPlan(
  client: ApiClient,
  app: string,
  steps: readonly ImportStep[],
  onResult: (result: ImportResult) => void,
): Promise<readonly ImportResult[]> {
  const results: ImportResult[] = [];
  for (const [i, step] of steps.entries()) {
    const { result, isFatal } = await doStep(client, app, step);
    results.push(result);
    onResult(result);
    // Without the app there is nothing to do anything with.
    if (!isFatal && !(i === 0 && result.state === 'failed')) continue;
    const rest = steps.slice(i + 1).filter(({ request }) => request !== undefined);
    for (const { what } of rest) results.push({ what, state: 'failed', reason: 'not tried' });
    break;
  }
  return results;
}

async function doStep(
  client: ApiClient,
  app: string,
  step: ImportStep,
): Promise<{ readonly result: ImportResult; readonly isFatal?: boolean }> {
  const { what, request, moreAttachments = [] } = step;
  if (request === undefined) return { result: { what, state: 'there' } };
  const { method, path, body } = request;
  const own = `/apps/${encodeURIComponent(app)}`;
  try {
    const made = await client.request<{
      readonly name?: string;
      readonly addon?: { readonly name?: string } | null;
      readonly invitation_url?: string | null;
    }>(method, path.startsWith('//') ? path.slice(1) : own + path, attachedHere(path, body, app));
    const addon = made?.addon?.name ?? made?.name;
    for (const name of moreAttachments)
      await client.request('POST', '/addon-attachments', { addon, app, name });
    const invitation = made?.invitation_url ?? undefined;
    return { result: { what, state: 'done', invitation } };
  } catch (error) {
    if (!(error instanceof TailraceError)) throw error;
    if (step.isThereOnConflict && error.code === 'conflict') return { result: { what, state: 'there' } };
    const isFatal = FATAL.includes(error.code);
    return { result: { what, state: 'failed', reason: error.message }, isFatal };
  }
}

/** An attachment names the app in its body. */
function attachedHere(path: string, body: object, app: string): object {
  return path === '//addon-attachments' ? { ...body, app } : body;
}
