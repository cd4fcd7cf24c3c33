/** Server-sent events of a service, for as long as the page is open: a connection that ends is made again. */
import { type Signal, signal } from '@preact/signals';
import { backoffMs } from '../../../common/backoff.ts';
import { requestService, ServiceError } from './service-client.ts';

export type LiveState =
  | { readonly name: 'connecting' | 'live' }
  /** `message`: a sentence that says what to do. */
  | { readonly name: 'unreachable' | 'refused'; readonly message: string };

const RETRY = { firstMs: 500, maxMs: 15_000 };

/**
 * @param path of the stream
 * @param probePath is asked when it can't be opened, to learn why: a browser doesn't say what an event stream was answered with
 * @param onOpen is called whenever it is open: what happened before has to be read
 * @param onEvent gets the data of each event, parsed
 */
export function listenToEvents<Event>(
  path: string,
  probePath: string,
  { onOpen, onEvent }: { onOpen: () => void; onEvent: (event: Event) => void },
): Signal<LiveState> {
  const state = signal<LiveState>({ name: 'connecting' });
  let failures = 0;
  const connect = (): void => {
    const source = new EventSource(path);
    source.onopen = () => {
      failures = 0;
      state.value = { name: 'live' };
      onOpen();
    };
    source.onmessage = ({ data }) => onEvent(JSON.parse(data) as Event);
    source.onerror = () => {
      source.close();
      failures += 1;
      void requestService(probePath)
        .then(() => {
          state.value = { name: 'connecting' };
        })
        .catch((error: unknown) => {
          const { status, message } =
            error instanceof ServiceError ? error : new ServiceError(0, String(error));
          state.value = { name: status === 401 || status === 404 ? 'refused' : 'unreachable', message };
        })
        .finally(() => setTimeout(connect, backoffMs(failures, RETRY)));
    };
  };
  connect();
  return state;
}
