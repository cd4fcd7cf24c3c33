/** What an import is made of: steps that change something here, and notes on what stays behind or is different. */

/** What is sent to the API of this server. `path` is below the app's own unless it begins with two slashes. */
export interface StepRequest {
  readonly method: 'POST' | 'PATCH' | 'PUT';
  readonly path: string;
  readonly body: object;
}

/** One thing that comes along. */
export interface ImportStep {
  /** As it is shown: without the value of any secret. */
  readonly what: string;
  /** None: it is here already. */
  readonly request?: StepRequest;
  /** An add-on: names of attachments that it gets after its first one. */
  readonly moreAttachments?: readonly string[];
  /** Is a conflict that it is here already? Nothing else tells for what the API masks. */
  readonly isThereOnConflict?: boolean;
}

/** `differs`: it is otherwise here. `stays`: it doesn't come along; what to do instead. */
export interface ImportNote {
  readonly kind: 'differs' | 'stays';
  readonly text: string;
}

/** A part of a plan, such as that of the add-ons. */
export interface PlanPart {
  readonly steps: readonly ImportStep[];
  readonly notes: readonly ImportNote[];
}

export const differs = (text: string): ImportNote => ({ kind: 'differs', text });
export const stays = (text: string): ImportNote => ({ kind: 'stays', text });
