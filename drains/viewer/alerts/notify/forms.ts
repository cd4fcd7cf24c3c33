/** Forms of notifications over HTTP: what is posted where. */
import { createHash } from 'node:crypto';
import { capitalize } from '../../../../src/common/text/capitalize.ts';
import { cutText } from '../../../../src/common/text/cut-text.ts';
import { facilityName } from '../../../../src/logs/query/query-syntax.ts';
import type { AlertEvent, SampleLine, WebhookForm } from '../records/alert-records.ts';
import { conditionText, lineText, lineUrl, oneLine, searchUrl, summaryOf, titleOf } from './message.ts';

const SEVERITIES = ['Emergency', 'Alert', 'Critical', 'Error', 'Warning', 'Notice', 'Info', 'Debug'];
const PAGERDUTY_URL = 'https://events.pagerduty.com/v2/enqueue';
/** Characters that a service takes. */
const PAGERDUTY_SUMMARY_MAX = 1_024;
const PAGERDUTY_KEY_MAX = 255;
const NTFY_MESSAGE_MAX = 3_500;
const SLACK_TEXT_MAX = 2_900;

export interface HttpNotification {
  readonly url: string;
  readonly contentType: string;
  readonly body: string;
  /** What in the body is nobody's business, such as a key: a receiver that repeats it in its answer shows it to nobody. */
  readonly secrets?: readonly string[];
}

/** @param baseUrl of the viewer's page, without a slash at the end */
export function webhookNotification(
  form: WebhookForm,
  url: string,
  event: AlertEvent,
  baseUrl: string,
): HttpNotification {
  switch (form) {
    case 'json':
      return json(url, genericJson(event, baseUrl));
    case 'papertrail':
      return {
        url,
        contentType: 'application/x-www-form-urlencoded',
        body: new URLSearchParams({ payload: JSON.stringify(papertrailJson(event, baseUrl)) }).toString(),
      };
    case 'slack':
      return json(url, { text: slackText(event, baseUrl) });
    case 'ntfy':
      return ntfy(url, event, baseUrl);
  }
}

/** PagerDuty's Events API, version 2. What is over resolves what it began. */
export function pagerDutyNotification(
  routingKey: string,
  url: string | undefined,
  event: AlertEvent,
  baseUrl: string,
): HttpNotification {
  const { alert, value, samples, count, kind } = event;
  const notification = json(url ?? PAGERDUTY_URL, {
    routing_key: routingKey,
    event_action: kind === 'resolved' ? 'resolve' : 'trigger',
    dedup_key: dedupKey(event),
    client: 'Tailrace viewer',
    client_url: baseUrl,
    payload: {
      summary: cutText(`${titleOf(event)}. ${summaryOf(event)}`, PAGERDUTY_SUMMARY_MAX),
      source: samples[0]?.streamName ?? alert.name,
      severity: kind === 'test' ? 'info' : 'error',
      timestamp: new Date(event.toMs).toISOString(),
      custom_details: {
        event: event.id,
        count,
        ...(value && { [value.field]: value.value }),
        lines: samples.map(lineText),
        ...(event.patterns && { patterns: event.patterns.map(oneLine) }),
      },
    },
    links: [{ href: searchUrl(baseUrl, event), text: 'Lines in the viewer' }],
  });
  return { ...notification, secrets: [routingKey] };
}

/** The same for all that an alert tells of one value, and for nothing else. */
function dedupKey({ id, alert, kind, value }: AlertEvent): string {
  const key = JSON.stringify([alert.id, value?.value ?? '', ...(kind === 'test' ? [id] : [])]);
  if (key.length <= PAGERDUTY_KEY_MAX) return key;
  return JSON.stringify([alert.id, createHash('sha256').update(key).digest('hex')]);
}

function json(url: string, body: object): HttpNotification {
  return { url, contentType: 'application/json', body: JSON.stringify(body) };
}

/** The generic form; docs/viewer-alerts.md describes it. */
function genericJson(event: AlertEvent, baseUrl: string): object {
  const { id, kind, alert, search, condition, value, count, patterns, fromMs, toMs, unwatchedMs, samples } =
    event;
  return {
    id,
    kind,
    title: titleOf(event),
    summary: summaryOf(event),
    alert,
    search: { id: search.id, name: search.name, group: search.group ?? null, q: search.query },
    condition: { ...condition, text: conditionText(condition) },
    ...(value && { field: value.field, value: value.value }),
    count,
    ...(patterns && { patterns }),
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    ...(unwatchedMs !== undefined && { unwatched_seconds: Math.round(unwatchedMs / 1_000) }),
    url: searchUrl(baseUrl, event),
    lines: samples.map((line) => ({
      stream: line.stream,
      stream_name: line.streamName,
      position: String(line.position),
      received_at: new Date(line.receivedAtMs).toISOString(),
      timestamp: line.timestamp,
      hostname: line.hostname,
      program: line.program,
      facility: line.facility,
      severity: line.severity,
      message: line.message,
      url: lineUrl(baseUrl, line),
    })),
  };
}

/** As Papertrail's webhooks have it, for receivers that were written for those. */
function papertrailJson(event: AlertEvent, baseUrl: string): object {
  const { search, samples, condition } = event;
  const positions = samples.map(({ position }) => position);
  return {
    events: samples.map((line) => papertrailEvent(line)),
    saved_search: {
      id: search.id,
      name: search.name,
      query: search.query,
      html_search_url: searchUrl(baseUrl, event),
      html_edit_url: `${baseUrl}/?page=alerts`,
    },
    frequency: condition.kind === 'new-pattern' ? '' : plain(condition.minutes),
    ...(positions.length > 0 && {
      min_id: String(Math.min(...positions)),
      max_id: String(Math.max(...positions)),
    }),
    // Besides what Papertrail has.
    count: event.count,
    event_id: event.id,
    kind: event.kind,
  };
}

function plain(minutes: number): string {
  return minutes === 1 ? '1 minute' : `${minutes} minutes`;
}

function papertrailEvent(line: SampleLine): object {
  return {
    id: String(line.position),
    received_at: new Date(line.receivedAtMs).toISOString(),
    display_received_at: new Date(line.receivedAtMs).toUTCString(),
    generated_at: line.timestamp,
    source_id: line.stream,
    source_name: line.streamName,
    hostname: line.hostname,
    program: line.program,
    facility: capitalize(facilityName(line.facility)),
    severity: SEVERITIES[line.severity],
    message: line.message,
  };
}

/** Slack's mrkdwn: what a log says is text in it, and neither a link nor a mention. */
function slackText(event: AlertEvent, baseUrl: string): string {
  const escaped = (text: string): string =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const head = `*${escaped(titleOf(event)).replaceAll('*', '∗')}*\n${escaped(summaryOf(event))}`;
  const link = `<${searchUrl(baseUrl, event)}|Lines in the viewer>`;
  const lines = [...(event.patterns ?? []).map(oneLine), ...event.samples.map(lineText)];
  const block: string[] = [];
  let length = head.length + link.length + 10;
  for (const line of lines) {
    const safe = escaped(line.replaceAll('`', 'ˋ'));
    if (length + safe.length > SLACK_TEXT_MAX) break;
    length += safe.length + 1;
    block.push(safe);
  }
  return [head, ...(block.length > 0 ? [`\`\`\`\n${block.join('\n')}\n\`\`\``] : []), link].join('\n');
}

/** Published as JSON, where a title may have any characters: to the address before the topic. */
function ntfy(url: string, event: AlertEvent, baseUrl: string): HttpNotification {
  const target = new URL(url);
  const at = target.pathname.lastIndexOf('/');
  const topic = decodeURIComponent(target.pathname.slice(at + 1));
  target.pathname = target.pathname.slice(0, at + 1);
  const message = [
    summaryOf(event),
    ...(event.patterns ?? []).map(oneLine),
    ...event.samples.map(lineText),
  ].join('\n');
  const notification = json(target.href, {
    topic,
    title: titleOf(event),
    message: cutText(message, NTFY_MESSAGE_MAX),
    priority: event.kind === 'fired' ? 4 : 3,
    tags: [event.kind === 'resolved' ? 'white_check_mark' : event.kind === 'test' ? 'test_tube' : 'warning'],
    click: searchUrl(baseUrl, event),
  });
  return { ...notification, secrets: [topic] };
}
