import addressparser from 'nodemailer/lib/addressparser';

/** One mailbox; `name` is empty when there is none. */
export interface MailAddress {
  readonly name: string;
  readonly address: string;
}

/** RFC 5321 §4.1.2 without quoted local parts, which nobody uses and parsers disagree about. */
const mailbox = /^[^\s@<>()[\]\\,;:"\p{Cc}]{1,64}@[^\s@<>()\\,;"\p{Cc}]{1,255}$/u;

/**
 * Reads a list of mailboxes: `a@x.example, "B, C" <b@x.example>`, or an array of such texts.
 *
 * @returns the problem in words when any of it is not a mailbox: a line break never comes through
 */
export function readAddresses(given: string | readonly string[]): readonly MailAddress[] | string {
  const texts = typeof given === 'string' ? [given] : given;
  const found: MailAddress[] = [];
  for (const text of texts) {
    if (/[\r\n\0]/.test(text)) return 'holds a line break, which no address has';
    for (const entry of addressparser(text)) {
      if ('group' in entry && entry.group !== undefined)
        return `"${shown(text)}" is a group; list its members`;
      const address = 'address' in entry ? (entry.address ?? '') : '';
      if (!mailbox.test(address)) return `"${shown(address || text)}" is not an e-mail address`;
      found.push({ name: entry.name ?? '', address });
    }
  }
  return found;
}

function shown(text: string): string {
  return text.slice(0, 100);
}
