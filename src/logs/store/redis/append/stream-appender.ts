import type { Batch } from '../../../syslog/batch.ts';
import type { AppendWaiter, AppId, OpenAppend, StreamAppender } from '../../contract.ts';
import type { RedisAppender } from './appender.ts';
import { type AppendOutcomes, WaitingAppend } from './waiting-append.ts';

/** Appends to one app's stream: see {@link Store.appenderFor}. */
export class RedisStreamAppender implements StreamAppender {
  /** Perhaps on another router. */
  readonly isFollowed = true;
  private readonly app: AppId;
  private readonly appender: RedisAppender;
  private readonly outcomes: AppendOutcomes;

  constructor(app: AppId, appender: RedisAppender, outcomes: AppendOutcomes) {
    this.app = app;
    this.appender = appender;
    this.outcomes = outcomes;
  }

  append(batch: Batch, waiter: AppendWaiter): void {
    this.appender.append(this.app, new WaitingAppend(this.app, batch, waiter, this.outcomes));
  }

  appendOpen(source: OpenAppend): void {
    this.appender.appendOpen(this.app, source);
  }

  withdraw(source: OpenAppend): void {
    this.appender.withdraw(this.app, source);
  }
}
