/** The door to electronic mail. One message, one recipient. */
export interface Mail {
  readonly kind: 'mailbox' | 'smtp';

  /**
   * Hands a message over. The same key is delivered once where the carrier can know it; where it cannot (SMTP), a
   * message that is sent again carries the same `Message-ID`. Throws `OutcomeUnknown` when nobody says that the message
   * was taken: send it again, under the same key. Throws `RequestRefused`: `invalid_request` for a message that will
   * never be taken (an address that cannot be used, or that its server refuses for good), `unauthorised` when it is we
   * who are refused. What it throws names no address.
   */
  send(message: MailMessage): Promise<void>;
}

export interface MailMessage {
  /** Names the business fact that the message tells of. */
  key: string;
  to: string;
  /** Whose address it is, as a person reads it. */
  toName?: string;
  subject: string;
  text: string;
  html?: string;
}
