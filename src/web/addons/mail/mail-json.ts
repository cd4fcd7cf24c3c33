/** Mails as their service shows them. */

export interface MailJson {
  readonly id: string;
  readonly received_at: string;
  readonly from: string;
  readonly to: string;
  readonly cc: string;
  readonly subject: string;
  readonly content_type: string;
  readonly size: number;
  readonly read: boolean;
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
}

export interface MailListJson {
  readonly total: number;
  readonly messages: readonly MailJson[];
}

export interface AttachmentJson {
  readonly number: number;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly inline: boolean;
}

export interface OpenedMailJson extends MailJson {
  readonly text: string;
  readonly html: string | null;
  readonly headers: readonly (readonly [string, string])[];
  readonly attachments: readonly AttachmentJson[];
  readonly links: readonly string[];
  readonly has_remote_content: boolean;
  /** Why it could not be taken apart. */
  readonly problem: string | null;
}

export interface MailStatusJson {
  readonly name: string;
  readonly messages: number;
  readonly unread: number;
  readonly bytes: number;
  readonly dropped: number;
}
