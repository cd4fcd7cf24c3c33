import { useState } from 'preact/hooks';
import { visibleText } from '../../text/visible-text.ts';
import { DialogForm, typedText } from '../../view/controls/dialog-form.tsx';
import { Icon } from '../../view/icon.tsx';
import { Modal } from '../../view/modal.tsx';
import type { AlertJson, ConditionJson, DestinationJson } from '../api/viewer-json.ts';
import type { ViewerPage } from '../viewer-page.ts';
import { ActionButton, CancelOr } from './settings-frame.tsx';

const DESTINATIONS = {
  json: { label: 'Webhook (JSON)', placeholder: 'https://example.com/hook' },
  slack: { label: 'Slack', placeholder: 'https://hooks.slack.com/services/…' },
  ntfy: { label: 'ntfy', placeholder: 'https://ntfy.sh/topic' },
  papertrail: { label: 'Webhook as Papertrail’s', placeholder: 'https://example.com/hook' },
  pagerduty: { label: 'PagerDuty', placeholder: 'integration key' },
  email: { label: 'E-mail', placeholder: 'zoe@example.com, ada@example.com' },
} as const;
type DestinationKind = keyof typeof DESTINATIONS;
type ConditionKind = ConditionJson['kind'];

interface DestinationDraft {
  readonly key: number;
  readonly id?: string;
  readonly kind: DestinationKind;
  readonly target: string;
}

let lastKey = 0;

export interface AlertFormProps {
  readonly page: ViewerPage;
  /** What is changed; undefined: a new one. */
  readonly alert: AlertJson | undefined;
  /** The search of a new one. */
  readonly search: string;
  readonly onClose: () => void;
}

/** Makes an alert, or changes one. */
export function AlertForm({ page, alert, search, onClose }: AlertFormProps) {
  const searches = page.savedSearches.value;
  const [kind, setKind] = useState<ConditionKind>(alert?.condition.kind ?? 'at-least');
  const [destinations, setDestinations] = useState<readonly DestinationDraft[]>(() =>
    alert ? alert.destinations.map(draftOf) : [newDraft()],
  );
  const submit = async (values: FormData): Promise<void> => {
    const text = (name: string): string => typedText(values, name);
    const searchId = alert?.search ?? text('search');
    const body = {
      name: text('name') || searches.find(({ id }) => id === searchId)?.name,
      condition: readCondition(kind, text),
      ...(kind !== 'new-pattern' && { group_by: text('group_by') }),
      cooldown_minutes: Number(text('cooldown')),
      notify_resolved: values.has('resolved'),
      destinations: destinations.filter(({ target }) => target.trim() !== '').map(toJson),
    };
    if (alert) await page.client.change('PATCH', `api/alerts/${encodeURIComponent(alert.id)}`, body);
    else await page.client.change('POST', 'api/alerts', { search: searchId, ...body });
    onClose();
  };
  return (
    <Modal title={alert ? `Alert ${visibleText(alert.name)}` : 'New alert'} onClose={onClose}>
      <DialogForm
        class="alert-form"
        onSubmit={submit}
        buttons={
          <CancelOr onCancel={onClose}>
            <button type="submit">{alert ? 'Change it' : 'Make it'}</button>
          </CancelOr>
        }
      >
        {!alert && (
          <label>
            <span>Search</span>
            <select name="search" class="plain-select" required defaultValue={search}>
              {searches.map(({ id, name }) => (
                <option key={id} value={id} selected={id === search}>
                  {visibleText(name)}
                </option>
              ))}
            </select>
          </label>
        )}
        <label>
          <span>Name</span>
          <input
            name="name"
            autocomplete="off"
            maxLength={100}
            defaultValue={alert?.name}
            placeholder="as the search"
          />
        </label>
        <ConditionFields alert={alert} kind={kind} onKind={setKind} />
        <DestinationFields drafts={destinations} onChange={setDestinations} />
      </DialogForm>
    </Modal>
  );
}

interface ConditionFieldsProps {
  readonly alert: AlertJson | undefined;
  readonly kind: ConditionKind;
  readonly onKind: (kind: ConditionKind) => void;
}

/** When somebody is told. */
function ConditionFields({ alert, kind, onKind }: ConditionFieldsProps) {
  const condition = alert?.condition;
  const minutesDefault = kind === 'none' ? 60 : 10;
  return (
    <fieldset>
      <legend>Tell somebody</legend>
      <label>
        <span>when</span>
        <select
          name="kind"
          class="plain-select"
          value={kind}
          onChange={(event) => onKind(event.currentTarget.value as ConditionKind)}
        >
          <option value="at-least">there are at least so many lines</option>
          <option value="none">there is no line (a job didn’t run)</option>
          <option value="new-pattern">there is a line of a new kind</option>
        </select>
      </label>
      {kind === 'at-least' && (
        <NumberField
          label="lines"
          name="count"
          value={condition?.kind === 'at-least' ? condition.count : 1}
        />
      )}
      {kind !== 'new-pattern' && (
        <NumberField
          label="in minutes"
          name="minutes"
          value={condition && condition.kind !== 'new-pattern' ? condition.minutes : minutesDefault}
        />
      )}
      {kind === 'new-pattern' && (
        <NumberField
          label="not seen for days"
          name="days"
          value={condition?.kind === 'new-pattern' ? condition.days : 7}
        />
      )}
      {kind !== 'new-pattern' && (
        <label>
          <span>for each</span>
          <input
            name="group_by"
            autocomplete="off"
            placeholder="all together, or a field: dyno, user.id"
            defaultValue={alert?.group_by ?? ''}
          />
        </label>
      )}
      <NumberField
        label="then not for minutes"
        name="cooldown"
        value={alert?.cooldown_minutes ?? 10}
        min={0}
      />
      <label class="check">
        <input type="checkbox" name="resolved" defaultChecked={alert?.notify_resolved} />
        <span>and when it is over</span>
      </label>
    </fieldset>
  );
}

interface DestinationFieldsProps {
  readonly drafts: readonly DestinationDraft[];
  readonly onChange: (drafts: readonly DestinationDraft[]) => void;
}

/** Who is told, and by which way. */
function DestinationFields({ drafts, onChange }: DestinationFieldsProps) {
  return (
    <fieldset>
      <legend>Where</legend>
      {drafts.map((draft) => {
        const change = (part: Partial<DestinationDraft>): void =>
          onChange(drafts.map((one) => (one.key === draft.key ? { ...one, ...part } : one)));
        return (
          <div key={draft.key} class="destination">
            <select
              class="plain-select"
              aria-label="Kind of destination"
              value={draft.kind}
              onChange={(event) => change({ kind: event.currentTarget.value as DestinationKind })}
            >
              {Object.entries(DESTINATIONS).map(([value, { label }]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
            <input
              aria-label="Address"
              autocomplete="off"
              spellcheck={false}
              value={draft.target}
              placeholder={DESTINATIONS[draft.kind].placeholder}
              onInput={(event) => change({ target: event.currentTarget.value })}
            />
            <ActionButton
              icon="trash"
              label="Take this destination away"
              onClick={() => onChange(drafts.filter(({ key }) => key !== draft.key))}
            />
          </div>
        );
      })}
      <button type="button" class="link-button" onClick={() => onChange([...drafts, newDraft()])}>
        <Icon name="plus" /> one more
      </button>
    </fieldset>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly name: string;
  readonly value: number;
  readonly min?: number;
}

function NumberField({ label, name, value, min = 1 }: NumberFieldProps) {
  return (
    <label>
      <span>{label}</span>
      <input type="number" name={name} min={min} step="any" required defaultValue={String(value)} />
    </label>
  );
}

function readCondition(kind: ConditionKind, text: (name: string) => string): ConditionJson {
  switch (kind) {
    case 'at-least':
      return { kind, count: Number(text('count')), minutes: Number(text('minutes')) };
    case 'none':
      return { kind, minutes: Number(text('minutes')) };
    case 'new-pattern':
      return { kind, days: Number(text('days')) };
  }
}

function newDraft(): DestinationDraft {
  return { key: ++lastKey, kind: 'json', target: '' };
}

function draftOf(destination: DestinationJson): DestinationDraft {
  const key = ++lastKey;
  const { id } = destination;
  switch (destination.kind) {
    case 'webhook':
      return { key, id, kind: destination.form as DestinationKind, target: destination.url };
    case 'pagerduty':
      return { key, id, kind: 'pagerduty', target: destination.routing_key };
    case 'email':
      return { key, id, kind: 'email', target: destination.to.join(', ') };
  }
}

function toJson({ id, kind, target }: DestinationDraft): DestinationJson {
  const known = id === undefined ? {} : { id };
  const text = target.trim();
  if (kind === 'pagerduty') return { ...known, kind, routing_key: text };
  if (kind === 'email') return { ...known, kind, to: text.split(/[\s,;]+/) };
  return { ...known, kind: 'webhook', form: kind, url: text };
}

/** `Slack: https://hooks.slack.com/****` */
export function destinationText(destination: DestinationJson): string {
  const { kind, target } = draftOf(destination);
  return `${DESTINATIONS[kind]?.label ?? kind}: ${target}`;
}
