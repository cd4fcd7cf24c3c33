import { batch, signal } from '@preact/signals';
import type { TailState } from '../line-source.ts';

/** What a list's window is, as {@link FeedSignals} shows it. */
interface WindowState {
  readonly version: number;
  readonly following: boolean;
  readonly unseenCount: number;
  readonly atLiveEnd: boolean;
}

/** Which part of the lines is being read, or ''. */
type LoadingPart = '' | 'all' | 'older' | 'newer';

/** What a feed shows of itself to the components: its window's state, what it reads, what went wrong, and how its tail is. */
export abstract class FeedSignals {
  readonly version = signal(0);
  readonly following = signal(true);
  readonly unseenCount = signal(0);
  readonly atLiveEnd = signal(true);
  readonly loading = signal<LoadingPart>('');
  /** Why a part of the past couldn't be read, or ''. */
  readonly error = signal('');
  /** What the server last reported of the tail, until lines come again; or ''. */
  readonly notice = signal('');
  readonly tailState = signal<TailState>({ name: 'connecting' });
  /** Ends what the feed reads, when it is closed. */
  protected readonly abortController = new AbortController();
  protected abstract readonly state: WindowState;

  /** Shows what the state has become. */
  protected publish(): void {
    const { state } = this;
    batch(() => {
      this.version.value = state.version;
      this.following.value = state.following;
      this.unseenCount.value = state.unseenCount;
      this.atLiveEnd.value = state.atLiveEnd;
    });
  }

  /** Does some reading, and publishes what came of it. Gives what `work` gives, or what `onFailure` makes of its error. */
  protected async withLoading<T>(
    part: LoadingPart,
    work: () => Promise<T>,
    onFailure: (error: unknown) => T,
  ): Promise<T> {
    this.loading.value = part;
    this.error.value = '';
    try {
      return await work();
    } catch (error) {
      return onFailure(error);
    } finally {
      this.publish();
      this.loading.value = '';
    }
  }
}
