/** The server that is part of this process: it serves, leaves for another one, and serves again when that one can't. */
import { reclaimPorts } from '../../../common/processes/passed-sockets.ts';
import type { DrainingServer } from '../../../server/shutdown.ts';
import type { RunningServer } from '../../../server.ts';

type RouterLine = (app: string, message: string) => void;

export class OwnServer {
  private readonly start: () => Promise<RunningServer>;
  private running: RunningServer;
  private left: DrainingServer | undefined;

  /** @param start starts it anew */
  constructor(running: RunningServer, start: () => Promise<RunningServer>) {
    this.running = running;
    this.start = start;
  }

  /** Resolves when the next one may start; requests to apps are still served. */
  async leave(routerLine: RouterLine): Promise<void> {
    this.left = await this.running.leave(routerLine);
  }

  /** After it has left. Resolves when it serves; rejects when it can't any more either. */
  async comeBack(): Promise<void> {
    const { left } = this;
    // It gives up the port of the HTTP router at once; its requests end beside the new ones.
    void left?.finishRequests();
    reclaimPorts();
    this.running = await this.start();
    this.left = undefined;
    this.noteFailedRestart();
  }

  /** The next server couldn't start: who asked for the restart on this machine finds that in the server's note. */
  noteFailedRestart(): void {
    this.running.noteFailedRestart();
  }

  /** Resolves when it has ended: when nobody waits for it any more, if it has left. */
  async close(): Promise<void> {
    await (this.left ? this.left.finishRequests() : this.running.close());
  }

  /** Ends all dynos at once, without their grace. */
  kill(): Promise<void> {
    return this.running.dynoManager.kill();
  }

  reload(): void {
    this.running.reload();
  }

  /** A line of another server's HTTP router for the stream of an app, which this one can still store. @param app its id */
  writeRouterLine(app: string, message: string): void {
    this.running.writeRouterLine(app, message);
  }
}
