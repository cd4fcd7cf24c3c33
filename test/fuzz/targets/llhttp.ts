/** Node's own HTTP parser, llhttp, as it stands behind `http.createServer`: what it makes of some bytes. */
import { createRequire } from 'node:module';

interface Parser {
  [callback: number]: (...values: never[]) => unknown;
  initialize(type: number, resource: object): void;
  execute(bytes: Buffer): number | Error;
}
interface ParserClass {
  new (): Parser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

const { HTTPParser, methods } = createRequire(import.meta.url)('_http_common') as {
  HTTPParser: ParserClass;
  methods: readonly string[];
};

/** Those that it knows. */
export const LLHTTP_METHODS = methods;

/** A message that llhttp has read. */
export interface ParsedMessage {
  method: string;
  url: string;
  status: number;
  isHttp11: boolean;
  keepsAlive: boolean;
  /** Name, value, name, value … */
  headers: readonly string[];
  body: string;
  isComplete: boolean;
}

/** What is in `bytes`; `error` when they are malformed. What llhttp said before that is there all the same. */
export function parseWithLlhttp(
  bytes: Buffer,
  kind: 'request' | 'response',
): { messages: ParsedMessage[]; error: Error | undefined } {
  const parser = new HTTPParser();
  parser.initialize(kind === 'request' ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {});
  const messages: ParsedMessage[] = [];
  let early: string[] = [];
  let earlyUrl = '';
  const on = (callback: number, listener: (...values: never[]) => unknown): void => {
    parser[callback] = listener;
  };
  on(HTTPParser.kOnHeaders, (headers: string[], url: string) => {
    early = [...early, ...headers];
    earlyUrl += url;
  });
  on(
    HTTPParser.kOnHeadersComplete,
    (
      major: number,
      minor: number,
      headers: string[] | undefined,
      method: number | undefined,
      url: string | undefined,
      status: number | undefined,
      _reason: string,
      _upgrade: boolean,
      keepsAlive: boolean,
    ) => {
      messages.push({
        method: method === undefined ? '' : methods[method],
        url: url ?? earlyUrl,
        status: status ?? 0,
        isHttp11: major === 1 && minor === 1,
        keepsAlive,
        headers: headers ?? early,
        body: '',
        isComplete: false,
      });
      early = [];
      earlyUrl = '';
      return 0;
    },
  );
  on(HTTPParser.kOnBody, (chunk: Buffer) => {
    messages[messages.length - 1].body += chunk.toString('latin1');
  });
  on(HTTPParser.kOnMessageComplete, () => {
    messages[messages.length - 1].isComplete = true;
  });
  const result = parser.execute(bytes);
  return { messages, error: result instanceof Error ? result : undefined };
}
