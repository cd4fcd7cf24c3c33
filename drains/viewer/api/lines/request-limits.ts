/** A search ends when whoever asked has gone away, and after a while. */
import type { FastifyReply } from 'fastify';
import { onResponseClosed } from '../../../../src/common/http/response-closed.ts';
import type { SearchLimits } from '../../store/contract.ts';

/**
 * For the time until a reply is closed.
 * @param timeoutMs undefined: no limit
 */
export function limitsFor({ raw }: FastifyReply, timeoutMs: number | undefined): SearchLimits {
  const abort = new AbortController();
  onResponseClosed(raw, () => {
    if (!raw.writableFinished) abort.abort();
  });
  return { signal: abort.signal, ...(timeoutMs !== undefined && { timeoutMs }) };
}
