/** Reads server-sent events (HTML Living Standard, section 9.2.6), as far as tails use them. */
export interface ServerEvent {
  readonly id: string;
  readonly data: readonly string[];
}

export class EventReader {
  private rest = '';

  /** Takes the next piece of text, and gives the events that are whole now. */
  read(text: string): ServerEvent[] {
    const blocks = (this.rest + text).split('\n\n');
    this.rest = blocks.pop() ?? '';
    return blocks.map(readBlock).filter(({ id, data }) => id !== '' || data.length > 0);
  }
}

function readBlock(block: string): ServerEvent {
  let id = '';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    if (line.startsWith('id: ')) id = line.slice(4);
    else if (line.startsWith('data: ')) data.push(line.slice(6));
  }
  return { id, data };
}
