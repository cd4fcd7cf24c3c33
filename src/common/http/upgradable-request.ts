import { IncomingMessage } from 'node:http';

const WEBSOCKET = /(?:^|[\s,])websocket(?:$|[\s,])/i;

/**
 * A request of which `Upgrade` counts where it asks for a WebSocket. A server that has a listener for upgrades gets all of them from
 * Node.js in the place of requests, also those that are to be ignored (RFC 9110 section 7.8): Java's HTTP client and curl ask for `h2c` with
 * the first request of a connection, whatever it is.
 */
export class UpgradableRequest extends IncomingMessage {
  // Node.js sets it before the header is there, and asks for it afterwards; a field would be set after both.
  declare private wantsUpgrade: unknown;

  get upgrade(): boolean {
    return (
      Boolean(this.wantsUpgrade) && (this.method === 'CONNECT' || WEBSOCKET.test(this.headers.upgrade ?? ''))
    );
  }

  set upgrade(wanted: unknown) {
    this.wantsUpgrade = wanted;
  }
}
