export { readAddresses, type MailAddress } from '#mail/address';
export { createMail, type Mail, type MailAttachment, type SmtpServer } from '#mail/mail';
