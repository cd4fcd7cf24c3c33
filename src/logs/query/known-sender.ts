/**
 * What an expression asks of the lines of a sender whose name is known besides what they say themselves: drains call every sender `host`, and whose
 * they are is said by the stream that they are in.
 */
import { fieldValueTest } from './query-matcher.ts';
import type { AttributeValue, QueryNode } from './query-syntax.ts';

/** Which no line matches. */
const A_TEXT: QueryNode = { kind: 'text', text: 'a text that is in no line' };
const NOTHING: QueryNode = { kind: 'and', children: [A_TEXT, { kind: 'not', child: A_TEXT }] };

/**
 * The same expression when it asks nothing that the name answers; undefined when every line of the sender matches.
 * @param name of the sender
 */
export function withKnownSender(expression: QueryNode, name: string): QueryNode | undefined {
  const found = fold(expression, name.toLowerCase(), name);
  return found === true ? undefined : found === false ? NOTHING : found;
}

/**
 * Texts, one of which is in the name of a sender (in small letters) that {@link withKnownSender} changes anything for; undefined when that can't be
 * said by texts.
 */
export function senderTexts(expression: QueryNode): readonly string[] | undefined {
  switch (expression.kind) {
    case 'and':
    case 'or': {
      const all = expression.children.map(senderTexts);
      return all.includes(undefined) ? undefined : all.flatMap((one) => one ?? []);
    }
    case 'not':
      return senderTexts(expression.child);
    case 'text':
      return [expression.text.toLowerCase()];
    case 'regex':
      return [];
    case 'attribute': {
      if (!isOfSender(expression.name)) return [];
      const { value } = expression;
      return value.kind === 'text' ? [value.text.toLowerCase()] : undefined;
    }
  }
}

/** True or false when the name decides it. */
function fold(node: QueryNode, lower: string, name: string): QueryNode | boolean {
  switch (node.kind) {
    case 'and':
    case 'or': {
      const deciding = node.kind === 'or';
      const children: QueryNode[] = [];
      let isSame = true;
      for (const child of node.children) {
        const found = fold(child, lower, name);
        if (found === deciding) return deciding;
        isSame &&= found === child;
        if (typeof found !== 'boolean') children.push(found);
      }
      if (isSame) return node;
      if (children.length === 0) return !deciding;
      return children.length === 1 ? children[0] : { kind: node.kind, children };
    }
    case 'not': {
      const found = fold(node.child, lower, name);
      if (typeof found === 'boolean') return !found;
      return found === node.child ? node : { kind: 'not', child: found };
    }
    case 'text':
      return lower.includes(node.text.toLowerCase()) || node;
    case 'attribute':
      return (isOfSender(node.name) && holdsOf(node.value, lower, name)) || node;
    case 'regex':
      return node;
  }
}

function isOfSender(attribute: string): boolean {
  return attribute === 'sender' || attribute === 'host';
}

function holdsOf(value: AttributeValue, lower: string, name: string): boolean {
  if (value.kind === 'text') return lower.includes(value.text.toLowerCase());
  return value.kind === 'exists' || fieldValueTest('', value)(name);
}
