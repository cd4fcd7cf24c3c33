import { trimOws } from '../../../common/http/fields.ts';

/** The options in the Connection headers of one message. */
type ConnectionHeader = {
  close: boolean;
  keepAlive: boolean;
  upgrade: boolean;
  /** Names of headers for this hop only, in lower case. */
  hopByHopNames: readonly string[];
};

const none: ConnectionHeader = { close: false, keepAlive: false, upgrade: false, hopByHopNames: [] };

/** Reads the value of a Connection header (RFC 9110 section 7.6.1); several are joined with commas first. */
export function parseConnectionHeader(value: string): ConnectionHeader {
  // The three values that nearly every message has.
  if (value === '') return none;
  if (value === 'keep-alive') return { ...none, keepAlive: true };
  if (value === 'close') return { ...none, close: true };
  const options = { close: false, keepAlive: false, upgrade: false, hopByHopNames: [] as string[] };
  for (const part of value.split(',')) {
    const option = trimOws(part).toLowerCase();
    if (option === 'close') options.close = true;
    else if (option === 'keep-alive') options.keepAlive = true;
    else if (option === 'upgrade') options.upgrade = true;
    else if (option !== '') options.hopByHopNames.push(option);
  }
  return options;
}
