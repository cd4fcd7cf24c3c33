/** A caught mail, as it is listed. */
export interface StoredMail extends MailHead {
  /** Sorts by when it came. */
  readonly id: string;
  /** When it was accepted: milliseconds. */
  readonly receivedMs: number;
  /** Bytes, as it was sent. */
  readonly size: number;
  readonly envelope: MailEnvelope;
  readonly isRead: boolean;
}

/** Whom SMTP named, which may be others than the header does (RFC 5321 section 2.3.1). */
export interface MailEnvelope {
  readonly from: string;
  readonly to: readonly string[];
}

/** What a mail's header says, decoded and bounded; '' for what isn't there. */
export interface MailHead {
  readonly from: string;
  readonly to: string;
  readonly cc: string;
  readonly subject: string;
  readonly date: string;
  readonly messageId: string;
  /** `multipart/mixed` */
  readonly contentType: string;
}
