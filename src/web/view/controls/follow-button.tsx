import type { ReadonlySignal } from '@preact/signals';
import { Icon } from '../icon.tsx';

interface FollowButtonProps {
  readonly feed: { readonly following: ReadonlySignal<boolean>; pause(): void };
  readonly onFollow: () => void;
}

/** Says whether the newest lines are followed; pauses, and goes on. */
export function FollowButton({ feed, onFollow }: FollowButtonProps) {
  const isFollowing = feed.following.value;
  return (
    <button
      type="button"
      class="follow"
      aria-pressed={!isFollowing}
      title="Pause, and go on (space)"
      onClick={() => {
        if (feed.following.value) feed.pause();
        else onFollow();
      }}
    >
      <Icon name={isFollowing ? 'pause' : 'play'} />
      {isFollowing ? 'following' : 'paused'}
    </button>
  );
}
