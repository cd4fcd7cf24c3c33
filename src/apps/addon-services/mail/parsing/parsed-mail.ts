/** A mail with its parts, as its page and the API show it. */
export interface ParsedMail {
  readonly text: string;
  /** As it was sent; to be shown only as `frameDocument` has it. */
  readonly html: string;
  /** As they were sent, decoded as UTF-8: name and value. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly attachments: readonly AttachmentSummary[];
  /** Addresses that it links to: http and https alone. */
  readonly links: readonly string[];
}

export interface AttachmentSummary {
  /** Without folders; '' when it has none. */
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** Shown within the HTML. */
  readonly isInline: boolean;
}

export interface AttachmentContent extends AttachmentSummary {
  readonly content: Uint8Array;
}
