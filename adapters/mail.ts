/** The door to electronic mail. One message, one recipient. */
export interface Mail {
  readonly kind: 'mailbox' | 'smtp';

  /**
   * Hands a message over. The same key is delivered once where the carrier can know it. Throws `OutcomeUnknown` when
   * it cannot be told whether the message was taken, `RequestRefused` (`invalid_request`) for an address it cannot use.
   */
  send(message: MailMessage): Promise<void>;
}

export interface MailMessage {
  key: string;
  to: string;
  subject: string;
  text: string;
  html?: string;
}
