import { TailraceError } from '../../common/errors.ts';
import { dataParameters } from '../../logs/query/field-scanner.ts';
import type { LogRecordJson } from '../../logs/syslog/record.ts';
import { sanitize } from '../../logs/tails/output/sanitize.ts';
import type { Colorizer } from '../colorizer.ts';

/** How a line's time is shown: as it was sent, in this machine's zone, only the time of day of that, or not at all. */
export const TIME_STYLES = ['utc', 'local', 'short', 'none'] as const;
export type TimeStyle = (typeof TIME_STYLES)[number];

/** Names that may stand in a template. */
const TEMPLATE_FIELDS = [
  'time',
  'level',
  'source',
  'dyno',
  'message',
  'fields',
  'host',
  'msgid',
  'position',
  'app',
] as const;
type TemplateField = (typeof TEMPLATE_FIELDS)[number];
const TEMPLATE_PART = /\{([^{}]*)\}|\\([nte\\])/g;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', e: '\x1b', '\\': '\\' };

export interface LineStyle {
  readonly time: TimeStyle;
  /** Shows structured data, behind the message. */
  readonly fields: boolean;
  /** `{time} {dyno} {message}`; undefined: as Heroku shows lines. */
  readonly template: string | undefined;
}

/** A line as tails give it in JSON. */
export type TailLine = LogRecordJson & { readonly position: string };
/** A field, or a text as it is. */
type TemplateStep = { readonly field: TemplateField } | { readonly text: string };

/** Writes lines that came as JSON as text, in the style that was asked for. */
export class LineFormatter {
  private readonly style: LineStyle;
  private readonly colorizer: Colorizer;
  /** Of a template; each line ends by itself. */
  private readonly steps: readonly TemplateStep[] | undefined;

  /** @throws TailraceError `invalid_params` for a template with a name that no line has */
  constructor(style: LineStyle, colorizer: Colorizer) {
    this.style = style;
    this.colorizer = colorizer;
    this.steps = style.template === undefined ? undefined : parseTemplate(style.template.replace(/\\n$/, ''));
  }

  /** A template says where the app's name stands, too. */
  get isTemplate(): boolean {
    return this.steps !== undefined;
  }

  /** @param app whose line it is, for a template */
  format(line: TailLine, app = ''): string {
    const { steps } = this;
    if (steps)
      return steps.map((step) => ('field' in step ? this.field(line, step.field, app) : step.text)).join('');
    const shown = this.colorizer.colorizeFields({
      time: this.time(line.timestamp),
      source: sanitize(line.source),
      dyno: sanitize(line.dyno),
      message: sanitize(line.message),
      level: line.level,
    });
    const fields = this.style.fields ? formatFields(line) : '';
    return fields === '' ? shown : `${shown} ${this.colorizer.dim(fields)}`;
  }

  private field(line: TailLine, name: TemplateField, app: string): string {
    switch (name) {
      case 'time':
        return this.time(line.timestamp);
      case 'level':
        return line.level;
      case 'fields':
        return formatFields(line);
      case 'message':
        return this.colorizer.keepColors(sanitize(line.message));
      case 'host':
        return sanitize(line.hostname);
      case 'msgid':
        return sanitize(line.msgid ?? '');
      case 'app':
        return app;
      default:
        return sanitize(line[name]);
    }
  }

  private time(timestamp: string): string {
    const { time } = this.style;
    if (time === 'none') return '';
    if (time === 'utc') return sanitize(timestamp);
    const date = new Date(timestamp);
    return Number.isNaN(date.getTime()) ? sanitize(timestamp) : formatLocalTime(date, time === 'short');
  }
}

/** `2026-01-31 12:00:00.123`, or `12:00:00.123` alone, in this machine's time zone. */
function formatLocalTime(date: Date, isShort: boolean): string {
  const digits = (value: number, length = 2): string => String(value).padStart(length, '0');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => digits(part)).join(':');
  const time = `${clock}.${digits(date.getMilliseconds(), 3)}`;
  if (isShort) return time;
  return `${digits(date.getFullYear(), 4)}-${digits(date.getMonth() + 1)}-${digits(date.getDate())} ${time}`;
}

/** Structured data as logfmt: `user.id=7 note="two words"`. */
function formatFields(line: TailLine): string {
  return dataParameters(line.structured_data ?? '')
    .map(({ name, value }) => {
      const text = sanitize(value).replaceAll('\n', '\\n');
      return `${sanitize(name)}=${/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)}`;
    })
    .join(' ');
}

/** @throws TailraceError `invalid_params` for a name that no line has */
function parseTemplate(template: string): readonly TemplateStep[] {
  const steps: TemplateStep[] = [];
  let end = 0;
  for (const found of template.matchAll(TEMPLATE_PART)) {
    const [whole, name, escaped] = found;
    if (found.index > end) steps.push({ text: template.slice(end, found.index) });
    end = found.index + whole.length;
    if (escaped !== undefined) steps.push({ text: ESCAPES[escaped] });
    else steps.push({ field: templateField(name) });
  }
  if (end < template.length) steps.push({ text: template.slice(end) });
  return steps;
}

function templateField(name: string): TemplateField {
  const known = TEMPLATE_FIELDS.find((field) => field === name.trim());
  if (known) return known;
  const names = TEMPLATE_FIELDS.map((field) => `{${field}}`).join(' ');
  throw new TailraceError('invalid_params', `--template: a line has no {${name}}; it has ${names}.`);
}
