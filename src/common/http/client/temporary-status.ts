/**
 * Is a request that got this status to be made again later, as it is (RFC 9110 sections 15.5.9 and 15.6, RFC 6585 section 4, RFC 8470 section 5.2)? Everything else
 * that isn't a success stays as it is until somebody does something.
 */
export function isTemporaryStatus(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429;
}
