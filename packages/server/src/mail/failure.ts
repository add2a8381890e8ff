export type MailRetry = 'safe' | 'unknown' | 'never';

interface SmtpError {
  readonly code?: unknown;
  readonly command?: unknown;
  readonly responseCode?: unknown;
  readonly response?: unknown;
}

/** Said before the message itself: whatever fails here, nobody has received anything. */
const beforeMessage = /^(CONN|EHLO|HELO|LHLO|STARTTLS|AUTH.*|MAIL FROM|RCPT TO|API)$/;

/**
 * What a failed sending means. RFC 5321 §4.2.1: 4yz is worth trying again, 5yz is not; and once the data is under
 * way, silence may mean that the message was taken.
 *
 * @param server - `host:port`, for the text
 */
export function judgeMailError(error: unknown, server: string): { message: string; retry: MailRetry } {
  const { code, command, responseCode, response } = (error ?? {}) as SmtpError;
  const said = typeof response === 'string' ? ` It answered: ${response.slice(0, 300)}` : '';
  if (code === 'EAUTH') {
    return { message: `The mail server ${server} refused the user name or password.${said}`, retry: 'never' };
  }
  if (typeof responseCode === 'number') {
    const isPermanent = responseCode >= 500;
    const end = isPermanent ? 'refused the message.' : 'did not take the message this time.';
    return { message: `The mail server ${server} ${end}${said}`, retry: isPermanent ? 'never' : 'safe' };
  }
  const reason = reasonOf(error);
  if (code === 'ETLS') {
    return { message: `No secure connection to the mail server ${server}: ${reason}`, retry: 'never' };
  }
  if (code === 'EENVELOPE' || code === 'EMESSAGE') {
    return { message: `The message cannot be sent: ${reason}`, retry: 'never' };
  }
  const isBefore =
    (error instanceof Error && 'details' in error) ||
    (typeof command === 'string' && beforeMessage.test(command.toUpperCase()));
  return {
    message: `The mail server ${server} could not be reached, or broke off: ${reason}`,
    retry: isBefore ? 'safe' : 'unknown',
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 300) : 'unknown error';
}
